// SPDX-License-Identifier: MIT
// Which device is where. The server filters, sorts and pages: the page never holds more than one.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api, get, query, seg } from '../api.js';
import { href, replaceQuery } from '../router.js';
import { Ago, Card, Confirm, Note, Read, Select, State, Tag, Text, Title, useMay, useRead, useToast } from '../ui.jsx';
import { STATES, count, macDigits, stateOf } from '../words.js';
import { Tabs } from './tabs.jsx';

const PAGE = 100;
const SORTS = [['-last_seen', 'seen last first'], ['last_seen', 'longest not seen first'], ['mac', 'MAC address'], ['-mac', 'MAC address, down']];

function Bulk({ slug, what, macs, builds, onClose }) {
  const [build, setBuild] = useState(builds[0]?.id || '');
  const [done, setDone] = useState(0);
  const toast = useToast();
  const WORDS = {
    hold: ['Hold', 'Nothing is offered to them until you let them go on.'],
    go: ['Let go on', 'They are offered what their channel or pin says, at their next check-in.'],
    retry: ['Retry', 'What they failed with is forgiven: they get it again at their next check-in.'],
    pin: ['Pin', 'They get this build and stay on it, whatever their channel says.'],
    unpin: ['Unpin', 'They follow their channel again.'],
  };
  const [verb, words] = WORDS[what];
  const one = (mac) => {
    const path = `/products/${seg(slug)}/devices/${mac.replace(/:/g, '')}`;
    if (what === 'retry') return api('POST', path + '/retry', {});
    return api('PATCH', path, what === 'hold' ? { held: true } : what === 'go' ? { held: false } : { pin: what === 'pin' ? build : null });
  };
  const action = async () => {
    const problems = [];
    let n = 0;
    for (const mac of macs) {
      try {
        await one(mac);
      } catch (e) {
        if (e.status === 0 || e.status === 401) throw e;
        problems.push(`${mac}: ${e.message}`);
      }
      setDone(++n);
    }
    const ok = macs.length - problems.length;
    toast({ tone: problems.length ? 'wait' : 'good', text: `${verb}: ${count(ok, 'device')} done${problems.length ? `, ${problems.length} refused` : ''}.`, hint: problems.slice(0, 3).join('; ') });
  };
  return (
    <Confirm title={`${verb}: ${count(macs.length, 'device')}`} verb={verb} ready={what !== 'pin' || !!build} action={action} onClose={onClose}>
      <p class="touches">This touches <strong>{count(macs.length, 'device')}</strong>. {words}</p>
      {what === 'pin' && <Select label="Build" value={build} onInput={setBuild} options={builds.map((b) => [b.id, b.version])} />}
      {done > 0 && <p aria-live="polite">{done} of {macs.length}</p>}
    </Confirm>
  );
}

function Row({ slug, device: d, versions, chosen, onChoose, may }) {
  const now = stateOf(d.update);
  return (
    <tr>
      {may && <td class="check"><input type="checkbox" checked={chosen} onChange={(e) => onChoose(e.currentTarget.checked)} aria-label={`Choose ${d.mac}`} /></td>}
      <th scope="row"><a class="mac" href={href(['p', slug, 'devices', d.mac])}>{d.mac}</a>{d.note && <span class="soft note-line">{d.note}</span>}</th>
      <td class="word" data-label="Runs">{d.version || <span class="soft">not said</span>}</td>
      <td data-label="Update"><State state={now.state} />{d.update && d.update.version !== d.version && <span class="soft word"> {d.update.version}</span>}
        {now.detail && <p class="small">{now.detail}</p>}</td>
      <td data-label="Set by hand">{d.held && <Tag tone="wait" sign="‖">held</Tag>}{d.blocked && <Tag tone="bad" sign="⊘">blocked</Tag>}{d.pin && <Tag tone="quiet" sign="◆">pinned{versions.get(d.pin) ? ' ' + versions.get(d.pin) : ''}</Tag>}{d.channel && <Tag tone="quiet">{d.channel}</Tag>}</td>
      <td data-label="Last seen"><Ago at={d.last_seen} /></td>
      <td class="word soft" data-label="Address">{d.address}</td>
    </tr>
  );
}

export function Devices({ slug, query: asked }) {
  const may = useMay('publisher');
  const [typed, setTyped] = useState(asked.q || '');
  const [cursors, setCursors] = useState([null]);
  const [chosen, setChosen] = useState(new Set());
  const [bulk, setBulk] = useState(null);
  const filter = { state: asked.state || '', version: asked.version, q: asked.q || '', sort: asked.sort || '-last_seen' };
  const set = (change) => {
    setCursors([null]);
    setChosen(new Set());
    const next = { ...filter, ...change };
    replaceQuery(['p', slug, 'devices'], { ...next, sort: next.sort === '-last_seen' ? '' : next.sort });
  };
  const digits = macDigits(typed);
  useEffect(() => {
    if (digits === null || digits === filter.q) return undefined;
    const timer = setTimeout(() => set({ q: digits }), 250);
    return () => clearTimeout(timer);
  }, [digits]);
  const p = `/products/${seg(slug)}`;
  const cursor = cursors.at(-1);
  const product = useRead(async (signal) => {
    const [info, stats, builds] = await Promise.all([get(p, signal), get(p + '/stats', signal), get(p + '/builds?limit=100', signal)]);
    return { info, stats, builds: builds.items };
  }, [slug], (e) => e.product === slug && (e.kind === 'update' || e.kind === 'change'), 3000);
  const list = useRead((signal) => get(p + '/devices' + query({ state: filter.state, version: filter.version, q: filter.q, sort: filter.sort, limit: PAGE, cursor }), signal),
    [slug, filter.state, filter.version, filter.q, filter.sort, cursor], (e) => e.product === slug && e.kind !== 'transfer', 1500);
  const versions = useMemo(() => new Map((product.data?.builds || []).map((b) => [b.id, b.version])), [product.data]);
  const states = product.data?.stats.states || {};
  const total = product.data?.stats.devices || 0;
  const pinnable = (product.data?.builds || []).filter((b) => b.kind === 'app' && !b.withdrawn_at);
  const items = list.data?.items || [];
  const choose = (mac, on) => {
    const next = new Set(chosen);
    if (on) next.add(mac);
    else next.delete(mac);
    setChosen(next);
  };
  const chosenHere = items.filter((d) => chosen.has(d.mac)).map((d) => d.mac);
  return (
    <>
      <Title sub={product.data && count(total, 'device')}>{product.data?.info.name || slug}: devices</Title>
      <Tabs slug={slug} at="devices" />
      <Card>
        <div class="chips" role="group" aria-label="State">
          <button class="chip" aria-pressed={!filter.state} onClick={() => set({ state: '' })}>All <span class="soft">{total.toLocaleString('en')}</span></button>
          {Object.entries(STATES).map(([key, [word, sign]]) => (states[key] > 0 || filter.state === key) && (
            <button key={key} class="chip" aria-pressed={filter.state === key} onClick={() => set({ state: key })}><span aria-hidden="true">{sign} </span>{word} <span class="soft">{(states[key] || 0).toLocaleString('en')}</span></button>
          ))}
        </div>
        <div class="row filters">
          <Text label="MAC address" value={typed} onInput={setTyped} placeholder="any spelling, or a part" aria-invalid={digits === null} hint={digits === null ? 'Only 0–9 and A–F, and what stands between them.' : undefined} spellcheck={false} />
          <Select label="Runs" value={filter.version ?? ''} onInput={(v) => set({ version: v })} options={[['', 'any version'], ...(product.data?.stats.versions || []).filter((v) => v.version).map((v) => [v.version, `${v.version} (${v.devices.toLocaleString('en')})`])]} />
          <Select label="Order" value={filter.sort} onInput={(v) => set({ sort: v })} options={SORTS} />
        </div>
        {may && <div class="bulk" role="group" aria-label="With the chosen devices">
          <span aria-live="polite">{chosenHere.length ? count(chosenHere.length, 'device') + ' chosen' : 'Choose devices to'}</span>
          {[['hold', 'Hold'], ['go', 'Let go on'], ['retry', 'Retry'], ['pin', 'Pin'], ['unpin', 'Unpin']].map(([what, word]) => (
            <button key={what} class="plain" disabled={!chosenHere.length} onClick={() => setBulk(what)}>{word} …</button>
          ))}
        </div>}
        <Read read={list} rows={10}>
          {(data) => data.items.length === 0 ? (
            <Note>{total === 0 ? 'No device has asked yet. It appears here the moment it does.' : 'No device is like that.'} {total > 0 && <button class="link" onClick={() => { setTyped(''); set({ state: '', version: '', q: '' }); }}>Show all</button>}</Note>
          ) : (
            <div class={'scroll' + (list.stale ? ' stale' : '')}><table class="cards devices">
              <thead><tr>
                {may && <th class="check"><input type="checkbox" aria-label="Choose all of this page" checked={chosenHere.length === items.length} onChange={(e) => setChosen(new Set(e.currentTarget.checked ? items.map((d) => d.mac) : []))} /></th>}
                <th scope="col">MAC address</th><th scope="col">Runs</th><th scope="col">Update</th><th scope="col">Set by hand</th><th scope="col">Last seen</th><th scope="col">Address</th>
              </tr></thead>
              <tbody>{data.items.map((d) => <Row key={d.mac} slug={slug} device={d} versions={versions} may={may} chosen={chosen.has(d.mac)} onChoose={(on) => choose(d.mac, on)} />)}</tbody>
            </table></div>
          )}
        </Read>
        <div class="buttons">
          <button class="plain" disabled={cursors.length < 2} onClick={() => { setCursors(cursors.slice(0, -1)); setChosen(new Set()); }}>Previous</button>
          <span class="soft">page {cursors.length}</span>
          <button class="plain" disabled={!list.data?.next} onClick={() => { setCursors([...cursors, list.data.next]); setChosen(new Set()); }}>Next</button>
        </div>
      </Card>
      {bulk && <Bulk slug={slug} what={bulk} macs={chosenHere} builds={pinnable} onClose={(done) => { setBulk(null); if (done) { setChosen(new Set()); list.reload(); } }} />}
    </>
  );
}
