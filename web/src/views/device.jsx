// SPDX-License-Identifier: MIT
// What happened to one device, from evidence, and why it is answered what it is.
import { useEffect, useState } from 'preact/hooks';
import { api, get, seg } from '../api.js';
import { href } from '../router.js';
import { Ago, Bar, Card, Confirm, Copy, Dialog, Facts, Field, Note, Problem, Read, Select, State, Tag, Title, Verdict, useAction, useMay, useRead, useToast } from '../ui.jsx';
import { bytes, cause, count, duration, local, percent, size, stamp, stateOf } from '../words.js';
import { Push, PushDialog, PushSteps } from './push.jsx';
import { Tabs } from './tabs.jsx';

// ---- why -----------------------------------------------------------------------------------

const RULES = { allowed: 'Allowed?', mode: 'Asks for the right thing?', target: 'Which build?', same: 'Has it already?', fit: 'Fits?', attempts: 'Attempts left?', held: 'Held or paused?', serve: 'Serve' };

function Why({ explain }) {
  return (
    <Card title="Why it is answered so">
      <p class="why"><Verdict verdict={explain.verdict} /> {explain.text}</p>
      <details>
        <summary>All {count(explain.rules.length, 'rule')} it went through</summary>
        <ol class="rules">
          {explain.rules.map((r) => (
            <li key={r.rule}><strong>{RULES[r.rule] || r.rule}</strong> <Verdict verdict={r.verdict} /><p>{r.text}</p>
              <dl class="inputs">{Object.entries(r.inputs).filter(([, v]) => v !== '' && v !== null).map(([k, v]) => <div key={k}><dt>{k.replace(/_/g, ' ')}</dt><dd>{String(v)}</dd></div>)}</dl></li>
          ))}
        </ol>
      </details>
    </Card>
  );
}

// ---- transfers and the story ---------------------------------------------------------------

const TRANSFER = { downloading: ['busy', '↓', 'going on'], sent: ['good', '✓', 'all arrived'], aborted: ['bad', '✕', 'broke off'] };

function Transfer({ t }) {
  const [tone, sign, word] = TRANSFER[t.state] || ['quiet', '·', t.state];
  const pct = percent(t.bytes_acked, t.size);
  const facts = t.detail.replace(/^\d+ of \d+ bytes acknowledged[,;]? ?/, ''); // that stands above
  return (
    <div class="transfer">
      <p><Tag tone={tone} sign={sign}>{t.kind === 'push' ? 'push, ' : ''}{word}</Tag>
        {t.state === 'aborted' ? <strong> stopped at {pct} %{t.cause && `, ${cause(t.cause)}`}</strong> : <strong> {pct} %</strong>}
        <span class="soft"> {bytes(t.bytes_acked)} of {bytes(t.size)}{t.bytes_per_s > 0 && t.state !== 'aborted' ? `, ${size(t.bytes_per_s)}/s` : ''}{t.resumed > 0 ? `, resumed ${count(t.resumed, 'time')}` : ''}</span></p>
      <Bar value={t.bytes_acked} max={t.size} tone={tone} label={`Download, ${word}`} />
      {facts && <p class="small said">{facts}</p>}
      <p class="small soft">{t.client && `${t.client}, `}{t.address}, <time dateTime={t.started_at}>{stamp(t.started_at)}</time>{t.ended_at ? `, took ${duration((Date.parse(t.ended_at) - Date.parse(t.started_at)) / 1000, true)}` : ''}</p>
      <PushSteps steps={t.steps} />
    </div>
  );
}

function Report({ r }) {
  const tone = r.result === 'success' ? 'good' : 'bad';
  return (
    <div class="report">
      <p><Tag tone={tone} sign={r.result === 'success' ? '✓' : '✕'}>it reported {r.result.replace('_', ' ')}</Tag>{r.code !== null && <span> code {r.code}</span>}{!r.authenticated && <span class="soft"> (hearsay: it showed no key)</span>}</p>
      {r.message && <blockquote>{r.message}</blockquote>}
      {r.meaning && <p class="small">{r.meaning}</p>}
      <p class="small soft"><time dateTime={r.at}>{stamp(r.at)}</time>, {r.address}</p>
    </div>
  );
}

const KIND_SIGN = { state: '●', download: '↓', push: '⇢', report: '✉' };

function Story({ slug, id }) {
  const read = useRead((signal) => get(`/products/${seg(slug)}/updates/${id}`, signal), [id], (e) => e.update === id);
  return (
    <Read read={read} rows={3}>
      {(u) => <ol class="story">{u.story.map((s, i) => <li key={i}><span class="sign" aria-hidden="true">{KIND_SIGN[s.kind] || '·'}</span><time dateTime={s.at} title={local(s.at)}>{stamp(s.at).slice(0, 19)}</time> <span>{s.text.replace(/_/g, ' ')}</span></li>)}</ol>}
    </Read>
  );
}

function Update({ slug, update: u, first }) {
  const { state } = stateOf({ ...u, transfer: u.transfers.at(-1) });
  const [open, setOpen] = useState(false);
  const transfers = [...u.transfers].reverse();
  const told = transfers[0]?.detail && u.detail.endsWith(transfers[0].detail); // stands at the transfer
  const why = u.cause && !u.detail.startsWith(cause(u.cause)) ? cause(u.cause) : '';
  return (
    <Card level={3} title={<>{u.from_version || '?'} → {u.to_version} <State state={state} /></>} class={'update' + (first ? ' newest' : '')} actions={<Ago at={u.updated_at} />}>
      {(u.cause || (u.detail && !told)) && <p class="said">{why && <strong>{why}{u.detail ? ': ' : ''}</strong>}{u.detail}</p>}
      {u.contradiction && <Note tone="bad"><strong>It says one thing and was seen to do another.</strong> {u.contradiction}</Note>}
      {transfers.map((t) => <Transfer key={t.id} t={t} />)}
      {u.transfers.length === 0 && <p class="soft">Nothing was fetched yet.</p>}
      {u.reports.map((r, i) => <Report key={i} r={r} />)}
      <details open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
        <summary>Minute by minute{u.attempts > 0 && ` (${count(u.attempts, 'whole image')} delivered)`}</summary>
        {open && <Story slug={slug} id={u.id} />}
      </details>
    </Card>
  );
}

// ---- what you can do -----------------------------------------------------------------------

function QR({ text }) {
  const [code, setCode] = useState(null);
  useEffect(() => {
    import('../qr.js').then((part) => setCode(part.qr(text)));
  }, [text]);
  const wide = code && code.n + 8; // four modules of white all around, as the standard wants
  return (
    <div class="qr">
      {code && <svg viewBox={`-4 -4 ${wide} ${wide}`} role="img" aria-label="The URL as a QR code"><rect x="-4" y="-4" width={wide} height={wide} fill="#fff" /><path d={code.path} fill="#000" shape-rendering="crispEdges" /></svg>}
    </div>
  );
}

function IssueUrl({ slug, device, builds, onClose }) {
  const [build, setBuild] = useState('');
  const [days, setDays] = useState('7');
  const [url, setUrl] = useState(null);
  const [error, setError] = useState(null);
  const { busy, run } = useAction(setError);
  const issue = (e) => {
    e.preventDefault();
    setError(null);
    run(async () => setUrl(await api('POST', `/products/${seg(slug)}/devices/${device.mac.replace(/:/g, '')}/url`, { ...(build && { build }), expires_in_s: Number(days) * 86400 })));
  };
  return (
    <Dialog title="A URL for this device" onClose={onClose}>
      {url ? (
        <>
          <p>Good until {local(url.expires_at)}, as often as it is asked. Whoever has it can fetch this build.</p>
          <Copy text={url.url} />
          <QR text={url.url} />
          <div class="buttons"><button onClick={onClose}>Close</button></div>
        </>
      ) : (
        <form onSubmit={issue}>
          <Select label="Build" value={build} onInput={setBuild} options={[['', 'what it should run'], ...builds.map((b) => [b.id, b.version])]} />
          <Select label="Good for" value={days} onInput={setDays} options={[['1', 'a day'], ['7', 'a week'], ['30', '30 days'], ['365', 'a year']]} />
          <Problem error={error} />
          <div class="buttons"><button type="button" class="plain" onClick={onClose}>Cancel</button><button disabled={busy}>Issue it</button></div>
        </form>
      )}
    </Dialog>
  );
}

function NoteField({ device, patch }) {
  const [text, setText] = useState(null);
  const value = text ?? device.note;
  const { busy, run } = useAction();
  return (
    <form onSubmit={(e) => { e.preventDefault(); run(async () => { await patch({ note: value }); setText(null); }); }}>
      <Field label="Note" hint="Where it hangs, whose it is: for people.">
        {(id, described) => <textarea id={id} aria-describedby={described} rows="2" maxLength="4096" value={value} onInput={(e) => setText(e.currentTarget.value)} />}
      </Field>
      {text !== null && text !== device.note && <div class="buttons"><button type="button" class="plain" onClick={() => setText(null)}>Discard</button><button disabled={busy}>Save the note</button></div>}
    </form>
  );
}

function Controls({ slug, device, builds, channels, reload, onPush }) {
  const [ask, setAsk] = useState(null);
  const { busy, run } = useAction();
  const toast = useToast();
  const path = `/products/${seg(slug)}/devices/${device.mac.replace(/:/g, '')}`;
  const patch = async (body) => {
    await api('PATCH', path, body);
    reload();
  };
  const retry = () => run(async () => {
    const now = await api('POST', path + '/retry', {});
    toast({ tone: 'good', text: 'It gets another try at its next check-in.', hint: now.expected_at ? `Expected ${local(now.expected_at)}, if it keeps to its habit.` : 'It has not been here often enough to say when that will be.' });
    reload();
  });
  const apps = builds.filter((b) => b.kind === 'app' && !b.withdrawn_at);
  const pinned = device.pin && !apps.some((b) => b.id === device.pin);
  return (
    <Card title="What you can do" class="controls">
      <div class="buttons left">
        <button class="plain" disabled={busy} onClick={() => run(() => patch({ held: !device.held }))}>{device.held ? 'Let it go on' : 'Hold it'}</button>
        <button class="plain" disabled={busy} onClick={retry}>Retry</button>
        <button class="plain" onClick={() => setAsk('push')}>Push now …</button>
        <button class="plain" onClick={() => setAsk('url')}>Issue a URL …</button>
        <button class="plain" disabled={busy} onClick={() => (device.blocked ? run(() => patch({ blocked: false })) : setAsk('block'))}>{device.blocked ? 'Unblock it' : 'Block it …'}</button>
        <button class="plain" onClick={() => setAsk('forget')}>Forget it …</button>
      </div>
      <div class="row">
        <Select label="Pinned to" value={device.pin || ''} disabled={busy} onInput={(v) => run(() => patch({ pin: v || null }))} options={[['', 'nothing: it follows its channel'], ...(pinned ? [[device.pin, 'an older build']] : []), ...apps.map((b) => [b.id, b.version])]} />
        <Select label="Channel" value={device.channel} disabled={busy} onInput={(v) => run(() => patch({ channel: v }))} options={[['', 'the product’s default'], ...channels.map((c) => [c.name, c.name])]} />
      </div>
      <NoteField device={device} patch={patch} />
      {ask === 'url' && <IssueUrl slug={slug} device={device} builds={builds.filter((b) => !b.withdrawn_at)} onClose={() => setAsk(null)} />}
      {ask === 'push' && <PushDialog slug={slug} device={device} builds={apps} onClose={(id) => { setAsk(null); if (id) onPush(id); }} />}
      {ask === 'block' && <Confirm title="Block this device?" verb="Block it" danger onClose={() => setAsk(null)} action={() => patch({ blocked: true })}><p class="touches">Every request of this <strong>1 device</strong> is answered 403 until you unblock it.</p></Confirm>}
      {ask === 'forget' && <Confirm title="Forget this device?" verb="Forget it" danger onClose={(done) => { setAsk(null); if (done) location.hash = href(['p', slug, 'devices']).slice(1); }} action={() => api('DELETE', path)}><p class="touches">Its history goes too. If it asks again, it begins anew.</p></Confirm>}
    </Card>
  );
}

// ---- the page ------------------------------------------------------------------------------

export function Device({ slug, mac }) {
  const may = useMay('publisher');
  const [pushing, setPushing] = useState(null);
  const p = `/products/${seg(slug)}`;
  const d = `${p}/devices/${seg(mac)}`;
  const read = useRead(async (signal) => {
    const [device, explain, updates] = await Promise.all([
      get(d, signal), get(d + '/explain', signal), get(`${p}/updates?mac=${seg(mac)}&limit=20`, signal)]);
    return { device, explain, updates: updates.items };
  }, [slug, mac], (e) => e.product === slug && (!e.mac || e.mac.toUpperCase() === mac.toUpperCase()) && e.kind !== 'push');
  const around = useRead(async (signal) => {
    const [builds, channels] = await Promise.all([get(p + '/builds?limit=100', signal), get(p + '/channels', signal)]);
    return { builds: builds.items, channels: channels.items };
  }, [slug], (e) => e.product === slug && e.kind === 'change');
  return (
    <>
      <Title sub={read.data?.device.note}><span class="mac">{read.data?.device.mac || mac}</span></Title>
      <Tabs slug={slug} at="devices" />
      <Read read={read} rows={8}>
        {({ device, explain, updates }) => (
          <div class="columns">
            <div>
              {pushing && <Card title="Push"><Push slug={slug} id={pushing} onEnd={read.reload} /></Card>}
              <Card title="Now" actions={<State state={stateOf(device.update).state} />}>
                <Facts rows={[
                  ['Product', <a href={href(['p', slug])}>{slug}</a>],
                  ['Runs', device.version || 'it doesn’t say'],
                  ['Last seen', <Ago at={device.last_seen} />],
                  ['Expected', device.expected_at && <Ago at={device.expected_at} />],
                  ['Chip', device.chip],
                  ['Address', device.address],
                  ['Client', device.agent],
                  ['Room for an image', device.free_space != null ? bytes(device.free_space) : undefined],
                  ['Flash', device.chip_size != null ? size(device.chip_size) : undefined],
                  ['First seen', stamp(device.first_seen)],
                  ['Known by', device.authenticated ? 'a key or token: authenticated' : 'what it says: hearsay'],
                ]} />
                {device.held && <Note tone="wait"><span aria-hidden="true">‖ </span>Held: nothing is offered to it until somebody lets it go on.</Note>}
                {device.blocked && <Note tone="bad"><span aria-hidden="true">⊘ </span>Blocked: all its requests are refused until somebody unblocks it.</Note>}
              </Card>
              <Why explain={explain} />
              {may && around.data && <Controls slug={slug} device={device} {...around.data} reload={read.reload} onPush={setPushing} />}
            </div>
            <div>
              <h2>Its updates</h2>
              {updates.length === 0 && <Note>None yet. {explain.verdict === 'serve' ? 'It gets one at its next check-in.' : ''}</Note>}
              {updates.map((u, i) => <Update key={u.id} slug={slug} update={u} first={i === 0} />)}
            </div>
          </div>
        )}
      </Read>
    </>
  );
}
