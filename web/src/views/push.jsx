// SPDX-License-Identifier: MIT
// "Update this device now": a push by espota, step by step while it goes.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, get, seg } from '../api.js';
import { Bar, Confirm, Note, Problem, Select, Tag, Text, useAction, useRead } from '../ui.jsx';
import { bytes, percent } from '../words.js';

const STEPS = {
  resolve: 'finds the device', invite: 'invites it', authenticate: 'gives the password', connect_back: 'waits for it to connect back',
  sending: 'sends the image', finish: 'waits for its OK', came_back: 'waits for it to come back',
};
const SIGNS = { running: ['busy', '…'], ok: ['good', '✓'], failed: ['bad', '✕'] };

export function PushSteps({ steps }) {
  if (!steps?.length) return null;
  return (
    <ol class="push-steps">
      {steps.map((s) => {
        const [tone, sign] = SIGNS[s.outcome] || ['quiet', '·'];
        return <li key={s.step}><Tag tone={tone} sign={sign}>{STEPS[s.step] || s.step}</Tag> <span class="soft">{(s.took_ms / 1000).toFixed(1)} s{s.tries > 1 ? `, ${s.tries} tries` : ''}</span><p class="small">{s.detail}</p></li>;
      })}
    </ol>
  );
}

// Asked for until it has ended.
export function Push({ slug, id, onEnd }) {
  const [push, setPush] = useState(null);
  const [error, setError] = useState(null);
  const { busy, run } = useAction();
  const path = `/products/${seg(slug)}/pushes/${id}`;
  useEffect(() => {
    let gone = false, timer = null;
    const look = async () => {
      let wait = 500;
      try {
        const now = await get(path);
        if (gone) return;
        setPush(now);
        setError(null);
        if (now.ended_at) {
          onEnd?.();
          return;
        }
      } catch (e) {
        if (gone) return;
        setError(e);
        wait = 2000;
      }
      timer = setTimeout(look, wait);
    };
    look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [path]);
  if (!push) return <Problem error={error} />;
  const state = { waiting: ['wait', '◷', 'waits for its turn'], running: ['busy', '↓', 'is going on'], ok: ['good', '✓', 'got through'], failed: ['bad', '✕', 'failed'] }[push.state];
  return (
    <div class="push" aria-live="polite">
      <p><Tag tone={state[0]} sign={state[1]}>The push of {push.version} to {push.address} {state[2]}</Tag>
        {!push.ended_at && <button class="plain" disabled={busy} onClick={() => run(() => api('DELETE', path))}>End it</button>}</p>
      <Problem error={error} />
      <Bar value={push.bytes_acked} max={push.size_bytes} tone={push.state === 'failed' ? 'bad' : push.state === 'ok' ? 'good' : 'busy'} label="Pushed" />
      <p class="small">{percent(push.bytes_acked, push.size_bytes)} %: {bytes(push.bytes_acked)} of {bytes(push.size_bytes)} acknowledged by the device</p>
      <PushSteps steps={push.steps} />
      {push.state === 'failed' && <Note tone="bad"><p>{push.detail}</p>{push.causes.length > 0 && <><p>Likely, the likeliest first:</p><ol>{push.causes.map((c) => <li key={c}>{c}</li>)}</ol></>}</Note>}
    </div>
  );
}

export function PushDialog({ slug, device, builds, onClose }) {
  const [build, setBuild] = useState('');
  const [address, setAddress] = useState('');
  const [port, setPort] = useState('');
  const [password, setPassword] = useState('');
  const id = useRef(null);
  const found = useRead((signal) => get('/candidates', signal), []); // by mDNS, where avahi runs
  const action = async () => {
    const body = {};
    if (build) body.build = build;
    if (address.trim()) body.address = address.trim();
    if (port.trim()) body.port = Number(port);
    if (password) body.password = password;
    const push = await api('POST', `/products/${seg(slug)}/devices/${device.mac.replace(/:/g, '')}/push`, body);
    id.current = push.id;
  };
  return (
    <Confirm title={`Push to ${device.mac} now`} verb="Push" action={action} onClose={(done) => onClose(done ? id.current : null)}>
      <p>For a device that runs ArduinoOTA in the server’s network: otad invites it, it connects back, and gets the image at once.</p>
      <Select label="Build" value={build} onInput={setBuild} options={[['', 'what it should run'], ...builds.map((b) => [b.id, b.version])]} />
      <div class="row">
        <Text label="Address" value={address} onInput={setAddress} placeholder={device.address || 'IP or name'} list="candidates" hint="Where it announces itself, or was last seen, unless you say otherwise." />
        <Text label="Port" value={port} onInput={setPort} inputMode="numeric" pattern="[0-9]{1,5}" placeholder={/8266/.test(device.chip) ? '8266' : '3232'} />
        <Text label="Password" type="password" autocomplete="off" value={password} onInput={setPassword} hint={device.push_password ? 'One is stored for it.' : 'If its sketch sets one.'} />
      </div>
      <datalist id="candidates">{(found.data?.items || []).map((c) => <option key={c.name + c.address} value={c.address}>{c.name}{c.board ? `, ${c.board}` : ''}</option>)}</datalist>
    </Confirm>
  );
}
