// SPDX-License-Identifier: MIT
// Is my fleet all right? All products in numbers.
import { useEffect } from 'preact/hooks';
import { all, get, seg } from '../api.js';
import { href } from '../router.js';
import { Adoption } from '../chart.jsx';
import { Ago, Bar, Card, Loading, Read, State, Tag, Title, useMayAll, useRead } from '../ui.jsx';
import { BROKEN, cause, count, stateOf } from '../words.js';
import { FirstSteps, NewProduct } from './start.jsx';

function Number_({ value, label, link, tone }) {
  const inner = <><strong class={value > 0 ? tone : ''}>{value.toLocaleString('en')}</strong><span>{label}</span></>;
  return link ? <a class="number" href={link}>{inner}</a> : <div class="number">{inner}</div>;
}

function health(stats, channels) {
  const stopped = channels.filter((c) => c.stopped_at);
  if (stopped.length) return ['bad', '✕', `stopped by itself: ${stopped[0].stop_reason}`];
  if (stats.failed_24h > 0) return ['wait', '!', `${count(stats.failed_24h, 'update')} failed in 24 h`];
  if (stats.devices === 0) return ['quiet', '·', 'no devices yet'];
  return ['good', '✓', 'all right'];
}

function Product({ product, stats, channels }) {
  const [tone, sign, words] = health(stats, channels);
  const p = product.slug;
  const paused = channels.filter((c) => c.paused && !c.stopped_at);
  return (
    <Card title={<a href={href(['p', p])}>{product.name}</a>} class="product" actions={<Tag tone={tone} sign={sign}>{words}</Tag>}>
      {paused.length > 0 && <p><Tag tone="wait" sign="‖">paused</Tag> {paused.map((c) => c.name).join(', ')}</p>}
      <div class="numbers">
        <Number_ value={stats.devices} label={stats.devices === 1 ? 'device' : 'devices'} link={href(['p', p, 'devices'])} />
        <Number_ value={stats.in_flight} label="in flight" link={href(['p', p, 'devices'], { state: 'in_progress' })} tone="t-busy" />
        <Number_ value={stats.failed_24h} label="failed in 24 h" link={href(['p', p, 'devices'], { state: BROKEN.find((state) => stats.states[state] > 0) || 'failed' })} tone="t-bad" />
        <Number_ value={stats.seen_24h} label="seen in 24 h" />
      </div>
      {stats.devices > 0 && <>
        <p class="share"><span>{stats.on_current_pct} % run the current build</span><span class="soft">{stats.on_current.toLocaleString('en')} of {stats.devices.toLocaleString('en')}</span></p>
        <Bar value={stats.on_current} max={stats.devices} tone="good" label={`${product.name}: devices on the current build`} />
        <Adoption stats={stats} height={150} />
      </>}
    </Card>
  );
}

// What is stuck and why: the devices that got into trouble last, of each product.
async function troubled(products, stats, signal) {
  const lists = [];
  for (const p of products.slice(0, 20))
    for (const state of [...BROKEN, 'in_progress'])
      if (stats.get(p.slug)?.states[state])
        lists.push(get(`/products/${seg(p.slug)}/devices?state=${state}&limit=8`, signal).then((l) => l.items.map((d) => ({ ...d, name: p.name })), () => []));
  const devices = (await Promise.all(lists)).flat();
  return devices.filter((d) => stateOf(d.update).state !== 'in_progress').sort((a, b) => b.last_seen.localeCompare(a.last_seen)).slice(0, 12);
}

// How many rows of it to expect, before they are there.
function expected(stats) {
  const n = [...stats.values()].map((s) => [...BROKEN, 'in_progress'].reduce((sum, state) => sum + Math.min(8, s.states[state] || 0), 0));
  return Math.min(12, n.reduce((a, b) => a + b, 0));
}

function Stuck({ devices, rows }) {
  if (!devices && rows === 0) return null;
  if (!devices) return <Card title="Stuck, and why"><Loading rows={rows + 1} lines /></Card>;
  if (devices.length === 0) return null;
  const more = devices.length >= 12;
  return (
    <Card title="Stuck, and why">
      <div class="scroll"><table class="cards">
        <thead><tr><th scope="col">Device</th><th scope="col">Product</th><th scope="col">Update</th><th scope="col">Why</th><th scope="col">Last seen</th></tr></thead>
        <tbody>{devices.map((d) => {
          const now = stateOf(d.update);
          return (
            <tr key={d.product + d.mac}>
              <th scope="row"><a class="mac" href={href(['p', d.product, 'devices', d.mac])}>{d.mac}</a>{d.note && <span class="soft note-line">{d.note}</span>}</th>
              <td data-label="Product">{d.name}</td>
              <td data-label="Update"><State state={now.state} /> <span class="word">{d.version || '?'} → {d.update.version}</span></td>
              <td data-label="Why">{now.detail || d.update.detail}</td>
              <td data-label="Last seen"><Ago at={d.last_seen} /></td>
            </tr>
          );
        })}</tbody>
      </table></div>
      {more && <p class="soft">The latest ones. All of them: under each product’s devices.</p>}
    </Card>
  );
}

function Failures({ items }) {
  const sums = new Map();
  for (const s of items) for (const f of s.failures) {
    const sum = sums.get(f.cause) || { day: 0, week: 0 };
    sums.set(f.cause, { day: sum.day + f.last_24h, week: sum.week + f.last_7d });
  }
  const rows = [...sums].sort((a, b) => b[1].week - a[1].week);
  const most = rows[0]?.[1].week || 1;
  return (
    <Card title="Failures by cause">
      {rows.length === 0 ? <p class="soft">None in the last 7 days.</p> : (
        <div class="scroll"><table>
          <thead><tr><th scope="col">Cause</th><th scope="col" class="num">24 hours</th><th scope="col" class="num">7 days</th><th scope="col" class="wide"><span class="hidden">Share</span></th></tr></thead>
          <tbody>{rows.map(([word, n]) => (
            <tr key={word}><th scope="row">{cause(word)}</th><td class="num">{n.day}</td><td class="num">{n.week}</td><td class="wide"><Bar value={n.week} max={most} tone="bad" label={cause(word) + ', 7 days'} /></td></tr>
          ))}</tbody>
        </table></div>
      )}
    </Card>
  );
}

const WAKES = (e) => e.kind !== 'transfer' && e.kind !== 'check_in';

export function Fleet() {
  useEffect(() => {
    import('../plot.js'); // on its way while the numbers are
  }, []);
  const mayAdd = useMayAll();
  const read = useRead(async (signal) => {
    const [products, stats] = await Promise.all([all('/products', signal), all('/stats', signal)]);
    return { products, stats: new Map(stats.map((s) => [s.product, s])) };
  }, [], WAKES, 3000);
  // What needs a second question comes when it comes; the numbers don't wait for it.
  const more = useRead(async (signal) => {
    if (!read.data) return null;
    const { products, stats } = read.data;
    const [channels, stuck] = await Promise.all([
      Promise.all(products.slice(0, 50).map((p) => get(`/products/${seg(p.slug)}/channels`, signal).then((l) => [p.slug, l.items], () => [p.slug, []]))),
      troubled(products, stats, signal)]);
    return { channels: new Map(channels), stuck };
  }, [read.data]);
  return (
    <>
      <Title>Fleet</Title>
      <Read read={read} rows={6}>
        {({ products, stats }) => products.length === 0 ? <FirstSteps /> : (
          <>
            <div class="grid">
              {products.map((p) => stats.get(p.slug) && <Product key={p.slug} product={p} stats={stats.get(p.slug)} channels={more.data?.channels.get(p.slug) || []} />)}
            </div>
            <Stuck devices={more.data?.stuck} rows={expected(stats)} />
            <Failures items={[...stats.values()]} />
            {mayAdd && <Card title="Another product"><NewProduct /></Card>}
          </>
        )}
      </Read>
    </>
  );
}
