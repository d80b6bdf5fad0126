// SPDX-License-Identifier: MIT
// Where the page is: behind the '#', so that the server has one page to give.
import { useEffect, useState } from 'preact/hooks';

function parse() {
  const raw = location.hash.replace(/^#\/?/, '');
  const cut = raw.indexOf('?');
  const path = (cut < 0 ? raw : raw.slice(0, cut)).split('/').filter(Boolean);
  const parts = path.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { parts, query: Object.fromEntries(new URLSearchParams(cut < 0 ? '' : raw.slice(cut + 1))) };
}

export function useRoute() {
  const [route, set] = useState(parse);
  useEffect(() => {
    const changed = () => set(parse());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

export function href(parts, values = {}) {
  const pairs = Object.entries(values).filter(([, v]) => v !== undefined && v !== null && v !== '');
  const tail = pairs.length ? '?' + new URLSearchParams(pairs) : '';
  return '#/' + parts.map(encodeURIComponent).join('/') + tail;
}

export function go(parts, values) {
  location.hash = href(parts, values).slice(1);
}

// Changes the query without a new entry in the history.
export function replaceQuery(parts, values) {
  history.replaceState(null, '', href(parts, values));
  dispatchEvent(new HashChangeEvent('hashchange'));
}
