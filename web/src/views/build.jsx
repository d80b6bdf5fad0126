// SPDX-License-Identifier: MIT
// What a build is, and the ways it is released and withdrawn: shared by the product's page and the
// upload.
import { useState } from 'preact/hooks';
import { api, get, seg } from '../api.js';
import { Bar, Confirm, Facts, Loading, Note, Problem, Select, Tag, Text, useRead, useToast } from '../ui.jsx';
import { bytes, count, stamp } from '../words.js';

const KINDS = { app: 'application', fs: 'file system', factory: 'factory image' };
export const kindName = (kind) => KINDS[kind] || kind;

export function Fit({ fit }) {
  if (!fit?.length) return null;
  return (
    <div class="fits">
      {fit.map((f) => (
        <div key={f.slot}>
          <span>{f.slot}{!f.updates && <span class="soft"> (no second slot: can’t be updated)</span>}</span>
          <Bar value={f.used_bytes} max={f.slot_bytes} tone={!f.fits ? 'bad' : f.percent > 90 ? 'wait' : 'good'} label={f.text} />
          <span class={f.fits ? 'soft' : 't-bad'}>{f.fits ? `${f.percent} %` : 'does not fit'}</span>
        </div>
      ))}
    </div>
  );
}

export function Warnings({ list }) {
  return (list || []).map((w) => {
    const text = typeof w === 'string' ? w : w.text || w.message || JSON.stringify(w);
    return <Note key={text} tone="wait"><strong>Look here:</strong> {text}</Note>;
  });
}

export function Identity({ build }) {
  const image = build.image || {};
  return (
    <>
      <Facts rows={[
        ['What it is', image.description || kindName(build.kind)],
        ['Chip', build.chip || image.chip || 'it doesn’t say'],
        ['Version', build.version + (image.version_source ? ` (from: ${image.version_source})` : '')],
        ['Number', build.number],
        ['Size', bytes(build.size)],
        ['Built', image.blynk?.build || image.app_desc?.date || image.app?.date],
        ['Flash', image.flash && `${image.flash.mode}, ${image.flash.freq_mhz} MHz, for ${(image.flash.size_bytes || 0) / 1048576 || '?'} MiB`],
        ['File', build.filename],
        ['MD5', <code>{build.md5}</code>],
        ['SHA-256', <code class="long">{build.sha256}</code>],
        ['Uploaded', stamp(build.created_at)],
        ['Notes', build.notes],
      ]} />
      {image.fit?.length > 0 && <details open={image.fit.some((f) => !f.fits)}><summary>Size against the usual partition tables</summary><Fit fit={image.fit} /></details>}
    </>
  );
}

const REASONS = { wont_fit: 'not enough room', wrong_chip: 'another chip' };

// What the live fleet says to a build, before it is released.
export function Preflight({ preflight }) {
  const { devices, would_refuse: refuse, shown } = preflight;
  if (devices === 0) return <Note>There are no devices yet: nobody to check it against.</Note>;
  if (refuse === 0) return <Note tone="good"><span aria-hidden="true">✓ </span>All {count(devices, 'device')} could take it, by what they last said.</Note>;
  return (
    <Note tone="bad">
      <p><strong>{count(refuse, 'device')} of {devices.toLocaleString('en')} can’t take it.</strong> They would be held back; the others get it.</p>
      <ul>{shown.map((d) => <li key={d.mac}><code>{d.mac}</code> {REASONS[d.reason] || d.reason}</li>)}</ul>
    </Note>
  );
}

export function Release({ slug, build, channels, stats, product, onClose }) {
  const [channel, setChannel] = useState(channels.find((c) => c.name === product.default_channel) ? product.default_channel : channels[0]?.name || 'stable');
  const [fresh, setFresh] = useState('');
  const toast = useToast();
  const preflight = useRead((signal) => get(`/products/${seg(slug)}/builds/${build.id}/preflight`, signal), [build.id]);
  const name = channel === '' ? fresh.trim() : channel;
  const followers = stats?.channels.find((c) => c.channel === name)?.devices || 0;
  const now = channels.find((c) => c.name === name);
  const current = build.kind === 'fs' ? now?.fs : now?.app;
  return (
    <Confirm title={`Release ${build.version}`} verb={`Release to ${name || '…'}`} ready={!!name} onClose={onClose}
      action={async () => {
        await api('PATCH', `/products/${seg(slug)}/channels/${seg(name)}`, { build: build.id });
        toast({ tone: 'good', text: `${build.version} is on ${name} now.` });
      }}>
      <Select label="Channel" value={channel} onInput={setChannel} options={[...channels.map((c) => [c.name, c.name]), ['', 'a new channel …']]} />
      {channel === '' && <Text label="Its name" value={fresh} onInput={setFresh} pattern="[a-z0-9._\-]{1,32}" required placeholder="beta" />}
      <p class="touches">This touches <strong>{count(followers, 'device')}</strong> that follow{followers === 1 ? 's' : ''} {name || 'it'}{current ? <>: from {current.version} to {build.version}</> : <>, which has no build yet</>}. Each gets it at its next check-in. Pinned devices stay where they are.</p>
      {now?.paused && <Note tone="wait">{name} is paused: nobody gets anything on it until you resume it.</Note>}
      {preflight.data ? <Preflight preflight={preflight.data} /> : preflight.error ? <Problem error={preflight.error} /> : <Loading rows={1} />}
    </Confirm>
  );
}

export function Withdraw({ slug, build, stats, onClose }) {
  const toast = useToast();
  const followers = (stats?.channels || []).filter((c) => build.channels.includes(c.channel)).reduce((sum, c) => sum + c.devices, 0);
  const running = stats?.versions.find((v) => v.version === build.version)?.devices || 0;
  return (
    <Confirm title={`Withdraw ${build.version}?`} verb="Withdraw it" danger onClose={onClose}
      action={async () => {
        await api('POST', `/products/${seg(slug)}/builds/${build.id}/withdraw`, {});
        toast({ tone: 'good', text: `${build.version} is offered to nobody any more.` });
      }}>
      <p>Nobody is offered it any more, and downloads of it end with 410.</p>
      <p class="touches">{build.channels.length ? <>{build.channels.join(', ')} {build.channels.length === 1 ? 'goes' : 'go'} back to the build before: that touches <strong>{count(followers, 'device')}</strong>. </> : 'No channel points at it. '}{count(running, 'device')} {running === 1 ? 'runs' : 'run'} it now and keep{running === 1 ? 's' : ''} it until there is another.</p>
    </Confirm>
  );
}

export function BuildTags({ build }) {
  return (
    <>
      {build.channels.map((c) => <Tag key={c} tone="good" sign="●">{c}</Tag>)}
      {build.withdrawn_at && <Tag tone="bad" sign="✕">withdrawn</Tag>}
      {build.pruned_at && <Tag tone="quiet">image let go</Tag>}
      {build.forced && <Tag tone="wait" sign="!">forced</Tag>}
      {build.image?.warnings?.length > 0 && <Tag tone="wait" sign="!">{count(build.image.warnings.length, 'warning')}</Tag>}
    </>
  );
}
