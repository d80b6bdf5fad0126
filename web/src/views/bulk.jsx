// SPDX-License-Identifier: MIT
// One act on many devices: which they are is settled when it is opened, and it may be stopped.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, seg } from '../api.js';
import { Confirm, Note, Problem, Select, useToast } from '../ui.jsx';
import { count } from '../words.js';

const AT_ONCE = 4; // requests: a browser keeps six connections, one of them for what happens
export const ACTS = {
  hold: ['Hold', 'Nothing is offered to them until you let them go on.', () => ['PATCH', '', { held: true }]],
  go: ['Let go on', 'They are offered what their channel or pin says, at their next check-in.', () => ['PATCH', '', { held: false }]],
  retry: ['Retry', 'What they failed with is forgiven: they get it again at their next check-in.', () => ['POST', '/retry', {}]],
  pin: ['Pin', 'They get this build and stay on it, whatever their channel says.', (build) => ['PATCH', '', { pin: build }]],
  unpin: ['Unpin', 'They follow their channel again.', () => ['PATCH', '', { pin: null }]],
};

// find: (signal, onCount) => the MAC addresses, told how many there are so far
export function Bulk({ slug, what, find, builds, onClose }) {
  const [macs, setMacs] = useState(null);
  const [error, setError] = useState(null);
  const [found, setFound] = useState(0);
  const [build, setBuild] = useState(builds[0]?.id || '');
  const [done, setDone] = useState(0);
  const stopped = useRef(false);
  const toast = useToast();
  const [verb, words, request] = ACTS[what];
  useEffect(() => {
    const abort = new AbortController();
    find(abort.signal, setFound).then(setMacs, (e) => e.name !== 'AbortError' && setError(e));
    return () => {
      abort.abort();
      stopped.current = true;
    };
  }, []);
  const one = (mac) => {
    const [method, path, json] = request(build);
    return api(method, `/products/${seg(slug)}/devices/${mac.replace(/:/g, '')}${path}`, json);
  };
  const action = async () => {
    const left = [...macs], problems = [];
    let ok = 0, broken = null;
    const work = async () => {
      while (left.length > 0 && !stopped.current && !broken) {
        const mac = left.shift();
        try {
          await one(mac);
          ok++;
        } catch (e) {
          if (e.status === 0 || e.status === 401) broken = e;
          else problems.push(`${mac}: ${e.message}`);
        }
        setDone(ok + problems.length);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const rest = macs.length - ok - problems.length;
    const text = `${verb}: ${count(ok, 'device')} done${problems.length ? `, ${problems.length.toLocaleString('en')} refused` : ''}${rest ? `, ${rest.toLocaleString('en')} left as they were` : ''}.`;
    toast({ tone: problems.length || rest ? 'wait' : 'good', text, hint: problems.slice(0, 3).join('; ') });
    if (broken) throw broken;
  };
  const close = (all) => {
    stopped.current = true;
    onClose(all || done > 0);
  };
  return (
    <Confirm title={macs ? `${verb}: ${count(macs.length, 'device')}` : verb} verb={verb} ready={macs?.length > 0 && (what !== 'pin' || !!build)} action={action} onClose={close}>
      {macs ? <p class="touches">This touches <strong>{count(macs.length, 'device')}</strong>. {words}</p> : !error && <p aria-live="polite">Counting: {found.toLocaleString('en')} …</p>}
      <Problem error={error} />
      {what === 'pin' && <Select label="Build" value={build} onInput={setBuild} options={builds.map((b) => [b.id, b.version])} />}
      {done > 0 && <><progress max={macs.length} value={done} aria-label="Devices done" /><Note>{done.toLocaleString('en')} of {macs.length.toLocaleString('en')}. Cancel stops here: what is done stays done.</Note></>}
    </Confirm>
  );
}
