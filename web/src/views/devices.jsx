// SPDX-License-Identifier: MIT
// Which device is where. The server filters, sorts and pages: the page never holds more than one.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { get, query, seg } from '../api.js';
import { href, replaceQuery } from '../router.js';
import { Ago, Card, Note, Read, Select, State, Tag, Text, Title, useMay, useRead } from '../ui.jsx';
import { STATES, count, macDigits, stateOf } from '../words.js';
import { ACTS, Bulk } from './bulk.jsx';
import { Tabs } from './tabs.jsx';

const PAGE = 100;
const SORTS = [['-last_seen', 'seen last first'], ['last_seen', 'longest not seen first'], ['mac', 'MAC address'], ['-mac', 'MAC address, down']];

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

// By MAC address: in any other order devices move from page to page while they check in.
async function allMatching(p, { state, version, q }, signal, onCount) {
  const macs = [];
  let cursor = null;
  do {
    const page = await get(p + '/devices' + query({ state, version, q, sort: 'mac', limit: 500, cursor }), signal);
    for (const d of page.items) macs.push(d.mac);
    onCount(macs.length);
    cursor = page.next;
  } while (cursor);
  return macs;
}

export function Devices({ slug, query: asked }) {
  const may = useMay('publisher');
  const [typed, setTyped] = useState(asked.q || '');
  const [cursors, setCursors] = useState([null]);
  const [chosen, setChosen] = useState(new Set());
  const [everything, setEverything] = useState(false); // all that match, on every page
  const [bulk, setBulk] = useState(null);
  const filter = { state: asked.state || '', version: asked.version, q: asked.q || '', sort: asked.sort || '-last_seen' };
  const choice = (macs) => {
    setChosen(new Set(macs));
    setEverything(false);
  };
  const turn = (to) => {
    setCursors(to);
    choice([]);
  };
  const set = (change) => {
    turn([null]);
    const next = { ...filter, ...change };
    replaceQuery(['p', slug, 'devices'], { ...next, sort: next.sort === '-last_seen' ? '' : next.sort });
  };
  const latest = useRef(set); // another filter may have been chosen while the typing was awaited
  latest.current = set;
  const digits = macDigits(typed);
  useEffect(() => {
    if (digits === null || digits === filter.q) return undefined;
    const timer = setTimeout(() => latest.current({ q: digits }), 250);
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
    choice(next);
  };
  const chosenHere = items.filter((d) => chosen.has(d.mac)).map((d) => d.mac);
  const wholePage = chosenHere.length > 0 && chosenHere.length === items.length;
  const more = wholePage && (list.data?.next || cursors.length > 1);
  const unfiltered = !filter.state && !filter.version && !filter.q;
  const act = (what) => {
    const macs = chosenHere;
    setBulk({ what, find: everything ? (signal, onCount) => allMatching(p, filter, signal, onCount) : async () => macs });
  };
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
          <span aria-live="polite">{everything ? (unfiltered ? 'All of this product are chosen' : 'All that match are chosen') : chosenHere.length ? count(chosenHere.length, 'device') + ' chosen' : 'Choose devices:'}</span>
          {!chosenHere.length && items.length > 0 && <button class="link" onClick={() => choice(items.map((d) => d.mac))}>All of this page</button>}
          {more && !everything && <button class="link" onClick={() => setEverything(true)}>{unfiltered ? 'Choose all of this product' : 'Choose all that match, on every page'}</button>}
          {Object.entries(ACTS).map(([what, [word]]) => (
            <button key={what} class="plain" disabled={!chosenHere.length} onClick={() => act(what)}>{word} …</button>
          ))}
        </div>}
        <Read read={list} rows={10}>
          {(data) => data.items.length === 0 ? (
            <Note>{total === 0 ? 'No device has asked yet. It appears here the moment it does.' : 'No device is like that.'} {total > 0 && <button class="link" onClick={() => { setTyped(''); set({ state: '', version: '', q: '' }); }}>Show all</button>}</Note>
          ) : (
            <div class={'scroll' + (list.stale ? ' stale' : '')}><table class="cards devices">
              <thead><tr>
                {may && <th class="check"><input type="checkbox" aria-label="Choose all of this page" checked={wholePage} onChange={(e) => choice(e.currentTarget.checked ? items.map((d) => d.mac) : [])} /></th>}
                <th scope="col">MAC address</th><th scope="col">Runs</th><th scope="col">Update</th><th scope="col">Set by hand</th><th scope="col">Last seen</th><th scope="col">Address</th>
              </tr></thead>
              <tbody>{data.items.map((d) => <Row key={d.mac} slug={slug} device={d} versions={versions} may={may} chosen={chosen.has(d.mac)} onChoose={(on) => choose(d.mac, on)} />)}</tbody>
            </table></div>
          )}
        </Read>
        <div class="buttons">
          <button class="plain" disabled={cursors.length < 2} onClick={() => turn(cursors.slice(0, -1))}>Previous</button>
          <span class="soft">page {cursors.length}</span>
          <button class="plain" disabled={!list.data?.next} onClick={() => turn([...cursors, list.data.next])}>Next</button>
        </div>
      </Card>
      {bulk && <Bulk slug={slug} {...bulk} builds={pinnable} onClose={(done) => { setBulk(null); if (done) { choice([]); list.reload(); } }} />}
    </>
  );
}
