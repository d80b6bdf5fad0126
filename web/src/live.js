// SPDX-License-Identifier: MIT
// One stream of server-sent events for the whole page. The browser connects again by itself and asks
// for what it missed; when the server no longer remembers that, everything shown is read anew.
import { useEffect, useRef, useState } from 'preact/hooks';

const listeners = new Set();
const watchers = new Set();
let source = null;
let state = 'off'; // off, connecting, live
let timer = null;

const KINDS = ['check_in', 'transfer', 'update', 'change', 'push', 'channel'];

function setState(next) {
  state = next;
  for (const tell of watchers) tell(next);
}

function tell(event) {
  for (const listener of [...listeners]) listener(event);
}

export function startLive(onRefused) {
  clearTimeout(timer);
  if (source) source.close();
  setState('connecting');
  source = new EventSource('/api/v1/events');
  source.onopen = () => {
    const back = state === 'lost';
    setState('live');
    if (back) tell({ kind: 'lost' });
  };
  source.onerror = () => {
    setState('lost');
    // A browser gives up for good when the answer is no stream: the session is over, or a proxy
    // answers for a server that restarts.
    if (source && source.readyState === EventSource.CLOSED) {
      clearTimeout(timer);
      timer = setTimeout(() => onRefused(() => startLive(onRefused)), 2000);
    }
  };
  for (const kind of KINDS)
    source.addEventListener(kind, (e) => {
      try {
        tell({ ...JSON.parse(e.data), id: e.lastEventId });
      } catch {
        // half a line from a broken proxy: the next read of the view heals it
      }
    });
  source.addEventListener('lost', () => tell({ kind: 'lost' }));
}

export function stopLive() {
  clearTimeout(timer);
  if (source) source.close();
  source = null;
  setState('off');
}

export function useLiveState() {
  const [now, set] = useState(state);
  useEffect(() => {
    watchers.add(set);
    set(state);
    return () => watchers.delete(set);
  }, []);
  return now;
}

// Calls fn with each event.
export function useEvents(fn) {
  const latest = useRef(fn);
  latest.current = fn;
  useEffect(() => {
    const listener = (e) => latest.current(e);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
}
