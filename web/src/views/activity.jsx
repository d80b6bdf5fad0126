// SPDX-License-Identifier: MIT
// What happens now. Nothing of it is kept: the ledger and the audit are.
import { useState } from 'preact/hooks';
import { href } from '../router.js';
import { Card, Note, Select, State, Tag, Title } from '../ui.jsx';
import { recentEvents, useEvents, useLiveState } from '../live.js';
import { bytes, cause, percent, stamp } from '../words.js';

const KEPT = 300;
const keyed = (e) => ({ ...e, key: e.id || Math.random() });

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
  const [events, setEvents] = useState(() => recentEvents().map(keyed));
  const [kind, setKind] = useState('');
  const [held, setHeld] = useState(false);
  const live = useLiveState();
  useEvents((e) => {
    if (held || e.kind === 'lost') return;
    setEvents((list) => [keyed(e), ...list].slice(0, KEPT));
  });
  const shown = kind ? events.filter((e) => e.kind === kind) : events;
  return (
    <>
      <Title sub="What happens, as it happens.">Activity</Title>
      <Card>
        <div class="row filters">
          <Select label="Show" value={kind} onInput={setKind} options={[['', 'everything'], ...Object.entries(WORDS)]} />
          <div class="buttons left">
            <button class="plain" aria-pressed={held} onClick={() => setHeld(!held)}>{held ? 'Go on' : 'Stop here'}</button>
            <button class="plain" onClick={() => setEvents([])}>Clear</button>
          </div>
        </div>
        {shown.length === 0 ? <Note>{live === 'live' ? 'Quiet. The next check-in, download or change appears here.' : 'Not connected.'}</Note> : (
          <ol class="feed" role="log" aria-label="Events">
            {shown.map((e) => <li key={e.key}><time dateTime={e.at}>{stamp(e.at).slice(11, 19)}</time> {e.product && <Tag>{e.product}</Tag>} <span><Line e={e} /></span></li>)}
          </ol>
        )}
      </Card>
    </>
  );
}
