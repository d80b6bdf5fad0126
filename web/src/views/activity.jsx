// SPDX-License-Identifier: MIT
// What happens now, and what the server still remembers of before. The ledger and the audit last.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, query } from '../api.js';
import { href } from '../router.js';
import { Card, Loading, Note, Problem, Select, State, Tag, Title } from '../ui.jsx';
import { useEvents, useLiveState } from '../live.js';
import { bytes, cause, percent, stamp } from '../words.js';

const BEFORE = 100, KEPT = 300;
const TURN_MS = 250; // a busy fleet tells more in a second than anybody can draw
// Newest first, each once: what comes live while the list is asked for stands in both.
function merge(list, more) {
  const known = new Set(list.map((e) => e.id));
  return [...list, ...more.filter((e) => !known.has(e.id))].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1)).slice(0, KEPT);
}

// Of a download only where it stands now.
function lines(events, kind) {
  const transfers = new Set();
  return events.filter((e) => {
    const old = e.kind === 'transfer' && transfers.has(e.transfer);
    if (e.kind === 'transfer') transfers.add(e.transfer);
    return !old && (!kind || e.kind === kind);
  });
}

function Line({ e }) {
  const where = e.mac ? <a class="mac" href={href(['p', e.product, 'devices', e.mac])}>{e.mac}</a> : null;
  switch (e.kind) {
    case 'check_in':
      return <>{where} asked{e.version ? <>, runs <strong>{e.version}</strong></> : ''}</>;
    case 'transfer':
      return <>{where} {e.state === 'downloading' ? 'downloads' : e.state === 'sent' ? 'has all of it' : <>broke off{e.cause ? `, ${cause(e.cause)}` : ''}</>}: {percent(e.bytes, e.size)} %, {bytes(e.bytes)} of {bytes(e.size)}</>;
    case 'update':
      return <>{where} <State state={e.state} /> {e.version}{e.cause ? `, ${cause(e.cause)}` : ''}{e.text ? <span class="soft"> {e.text}</span> : ''}</>;
    case 'push':
      return <>push to {where}: {cause(e.cause)} <Tag tone={e.state === 'failed' ? 'bad' : e.state === 'ok' ? 'good' : 'busy'}>{e.state}</Tag> <span class="soft">{e.text}</span></>;
    case 'channel':
      return <><Tag tone="bad" sign="✕">a channel stopped by itself</Tag> {e.text}</>;
    case 'change':
      return <><strong>{e.action}</strong> {e.object}</>;
    default:
      return <>{e.kind}</>;
  }
}

const WORDS = { check_in: 'Check-ins', transfer: 'Downloads', update: 'Updates', change: 'Changes', push: 'Pushes', channel: 'Channels' };

export function Activity() {
  const [events, setEvents] = useState(null);
  const [error, setError] = useState(null);
  const [kind, setKind] = useState('');
  const [held, setHeld] = useState(false);
  const live = useLiveState();
  const waiting = useRef([]);
  const look = () => get('/events/recent' + query({ limit: BEFORE, kind })).then((l) => {
    setError(null);
    setEvents((list) => merge(list || [], l.items));
  }, setError);
  useEffect(() => {
    if (!held) look();
  }, [held, kind]);
  useEvents((e) => {
    if (held) return;
    if (e.kind === 'lost') look();
    else waiting.current.push(e);
  });
  useEffect(() => {
    const timer = setInterval(() => {
      const more = waiting.current.splice(0);
      if (more.length) setEvents((list) => merge(list || [], more));
    }, TURN_MS);
    return () => clearInterval(timer);
  }, []);
  const shown = lines(events || [], kind);
  const today = new Date().toISOString().slice(0, 10);
  return (
    <>
      <Title sub="What happens, as it happens, in UTC.">Activity</Title>
      <Card>
        <div class="row filters">
          <Select label="Show" value={kind} onInput={setKind} options={[['', 'everything'], ...Object.entries(WORDS)]} />
          <div class="buttons left">
            <button class="plain" aria-pressed={held} onClick={() => setHeld(!held)}>{held ? 'Go on' : 'Stop here'}</button>
            <button class="plain" disabled={!shown.length} onClick={() => setEvents([])}>Clear</button>
          </div>
        </div>
        <Problem error={error} retry={look} />
        {!events && !error ? <Loading rows={6} lines /> : shown.length === 0 ? <Note>{live === 'live' ? 'Quiet. The next check-in, download or change appears here.' : 'Not connected.'}</Note> : (
          <div role="log" aria-label="Events"><ol class="feed">
            {shown.map((e) => <li key={e.id}><time dateTime={e.at}>{stamp(e.at).slice(e.at.startsWith(today) ? 11 : 0, 19)}</time> {e.product && <Tag>{e.product}</Tag>} <span><Line e={e} /></span></li>)}
          </ol></div>
        )}
      </Card>
    </>
  );
}
