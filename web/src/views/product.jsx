// SPDX-License-Identifier: MIT
// One product: what its channels point at, and its builds.
import { useState } from 'preact/hooks';
import { api, get, seg } from '../api.js';
import { href } from '../router.js';
import { Adoption } from '../chart.jsx';
import { Ago, Card, Confirm, Copy, Dialog, Note, Read, Tag, Title, useAction, useMay, useRead, useToast } from '../ui.jsx';
import { STATES, count, size } from '../words.js';
import { BuildTags, Identity, Release, Warnings, Withdraw, kindName } from './build.jsx';
import { NextStep, SketchLines, curlLine, useBase } from './start.jsx';
import { Tabs } from './tabs.jsx';

function Undo({ slug, channel, followers, onClose }) {
  const toast = useToast();
  return (
    <Confirm title={`Undo on ${channel.name}?`} verb="Go back" onClose={onClose}
      action={async () => {
        const now = await api('POST', `/products/${seg(slug)}/channels/${seg(channel.name)}/undo`, {});
        toast({ tone: 'good', text: `${channel.name} points at ${now.app?.version || 'nothing'} again.` });
      }}>
      <p class="touches">{channel.name} goes from {channel.app?.version} back to the build before. This touches <strong>{count(followers, 'device')}</strong>: those that run {channel.app?.version} get the older build at their next check-in.</p>
    </Confirm>
  );
}

function Channel({ slug, channel, followers, reload }) {
  const may = useMay('publisher');
  const [undo, setUndo] = useState(false);
  const { busy, run } = useAction();
  const verb = channel.paused ? 'resume' : 'pause';
  const toggle = () => run(async () => {
    await api('POST', `/products/${seg(slug)}/channels/${seg(channel.name)}/${verb}`, {});
    reload();
  });
  return (
    <tr>
      <th scope="row">{channel.name}</th>
      <td data-label="Points at">{channel.app ? channel.app.version : <span class="soft">nothing</span>}{channel.fs && <span class="soft"> + file system {channel.fs.version}</span>}</td>
      <td data-label="State">{channel.stopped_at ? <Tag tone="bad" sign="✕" title={channel.stop_reason}>stopped by itself</Tag> : channel.paused ? <Tag tone="wait" sign="‖">paused</Tag> : <Tag tone="good" sign="▸">offering</Tag>}
        {channel.stopped_at && <p class="small">{channel.stop_reason}</p>}</td>
      <td class="num" data-label="Devices">{followers.toLocaleString('en')}</td>
      <td data-label="Released"><Ago at={channel.released_at} /></td>
      <td class="actions">{may && <>
        <button class="plain" disabled={busy} onClick={toggle} aria-label={`${verb} ${channel.name}`}>{channel.paused ? 'Resume' : 'Pause'}</button>
        <button class="plain" disabled={!channel.app} onClick={() => setUndo(true)} aria-label={`Undo the last release on ${channel.name}`}>Undo …</button>
      </>}
      {undo && <Undo slug={slug} channel={channel} followers={followers} onClose={(done) => { setUndo(false); if (done) reload(); }} />}</td>
    </tr>
  );
}

function Outcomes({ states }) {
  if (!states) return null;
  const shown = Object.keys(STATES).filter((s) => states[s]);
  return shown.map((s) => {
    const [word, sign, tone] = STATES[s];
    return <Tag key={s} tone={tone} sign={sign} title={word}>{states[s]} {word.toLowerCase()}</Tag>;
  });
}

function Build({ slug, build, states, onAct }) {
  const may = useMay('publisher');
  const gone = build.withdrawn_at || build.pruned_at;
  return (
    <tr class={gone ? 'gone' : ''}>
      <th scope="row"><button class="link" onClick={() => onAct('show', build)}>{build.version}</button><span class="soft"> #{build.number}</span></th>
      <td data-label="Kind, chip">{kindName(build.kind)}<br /><span class="soft">{build.chip || 'chip unknown'}</span></td>
      <td class="num" data-label="Size">{size(build.size)}{build.image?.fit?.[0] && <><br /><span class={build.image.fit[0].fits ? 'soft' : 't-bad'}>{build.image.fit[0].percent} % of {build.image.fit[0].slot}</span></>}</td>
      <td data-label="Where"><BuildTags build={build} /></td>
      <td data-label="Updates"><Outcomes states={states} /></td>
      <td data-label="Uploaded"><Ago at={build.created_at} /></td>
      <td class="actions">{may && !gone && build.kind !== 'factory' && <button class="plain" onClick={() => onAct('release', build)} aria-label={`Release ${build.version}`}>Release …</button>}
        {may && !gone && <button class="plain" onClick={() => onAct('withdraw', build)} aria-label={`Withdraw ${build.version}`}>Withdraw …</button>}</td>
    </tr>
  );
}

function Show({ slug, build, onClose }) {
  return (
    <Dialog title={`Build ${build.version}`} onClose={onClose}>
      <Warnings list={build.image?.warnings} />
      <Identity build={build} />
      <div class="buttons">
        {!build.pruned_at && <a class="button plain" href={`/api/v1/products/${seg(slug)}/builds/${build.id}/file`} download={build.filename || 'firmware.bin'}>Download</a>}
        <button onClick={onClose}>Close</button>
      </div>
    </Dialog>
  );
}

export function Product({ slug }) {
  const [cursors, setCursors] = useState([null]);
  const [act, setAct] = useState(null);
  const base = useBase();
  const may = useMay('publisher');
  const p = `/products/${seg(slug)}`;
  const cursor = cursors.at(-1);
  const read = useRead(async (signal) => {
    const [product, channels, builds, stats] = await Promise.all([
      get(p, signal), get(p + '/channels', signal), get(p + '/builds?limit=25' + (cursor ? '&cursor=' + seg(cursor) : ''), signal), get(p + '/stats', signal)]);
    return { product, channels: channels.items, builds, stats };
  }, [slug, cursor], (e) => e.product === slug && e.kind !== 'transfer' && e.kind !== 'check_in', 2000);
  return (
    <>
      <Title sub={read.data && [read.data.product.chip, count(read.data.stats.devices, 'device')].filter(Boolean).join(', ')}>{read.data?.product.name || slug}</Title>
      <Tabs slug={slug} at="builds" />
      <Read read={read} rows={8}>
        {({ product, channels, builds, stats }) => {
          const states = new Map(stats.builds.map((b) => [b.build, b.states]));
          const followers = (name) => stats.channels.find((c) => c.channel === name)?.devices || 0;
          return (
            <>
              {product.disabled && <Note tone="bad"><strong>This product is disabled:</strong> every device is answered 403.</Note>}
              <NextStep slug={slug} builds={builds.items.length} devices={stats.devices} />
              <Card title="Channels">
                <div class="scroll"><table class="cards">
                  <thead><tr><th scope="col">Channel</th><th scope="col">Points at</th><th scope="col">State</th><th scope="col" class="num">Devices</th><th scope="col">Released</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
                  <tbody>{channels.map((c) => <Channel key={c.name} slug={slug} channel={c} followers={followers(c.name)} reload={read.reload} />)}</tbody>
                </table></div>
              </Card>
              <Card title="Builds" actions={may && <a class="button" href={href(['p', slug, 'upload'])}>Upload a build</a>}>
                {builds.items.length === 0 ? <p class="soft">None yet.</p> : (
                  <div class="scroll"><table class="cards builds">
                    <thead><tr><th scope="col">Version</th><th scope="col">Kind, chip</th><th scope="col" class="num">Size</th><th scope="col">Where</th><th scope="col">Updates</th><th scope="col">Uploaded</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
                    <tbody>{builds.items.map((b) => <Build key={b.id} slug={slug} build={b} states={states.get(b.id)} onAct={(what, build) => setAct({ what, build })} />)}</tbody>
                  </table></div>
                )}
                {(cursors.length > 1 || builds.next) && <div class="buttons">
                  <button class="plain" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>Newer</button>
                  <button class="plain" disabled={!builds.next} onClick={() => setCursors([...cursors, builds.next])}>Older</button>
                </div>}
              </Card>
              {stats.devices > 0 && <Card title="Versions over time"><Adoption stats={stats} height={220} /></Card>}
              <Card title="For scripts and sketches">
                <details><summary>Upload with curl, from a terminal or CI</summary><Copy text={curlLine(base, slug)} /></details>
                <details><summary>Lines for a sketch</summary><SketchLines base={base} slug={slug} /></details>
              </Card>
              {act?.what === 'release' && <Release slug={slug} build={act.build} channels={channels} stats={stats} product={product} onClose={(done) => { setAct(null); if (done) read.reload(); }} />}
              {act?.what === 'withdraw' && <Withdraw slug={slug} build={act.build} stats={stats} onClose={(done) => { setAct(null); if (done) read.reload(); }} />}
              {act?.what === 'show' && <Show slug={slug} build={act.build} onClose={() => setAct(null)} />}
            </>
          );
        }}
      </Read>
    </>
  );
}
