// SPDX-License-Identifier: MIT
// The small parts that every view is made of.
import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useId, useRef, useState } from 'preact/hooks';
import { STATES, VERDICTS, ago, local } from './words.js';
import { useEvents } from './live.js';

// ---- who, and messages ---------------------------------------------------------------------

export const Session = createContext({ role: 'viewer' });
const RANK = { viewer: 1, publisher: 2, admin: 3 };
export function useMay(role) {
  return RANK[useContext(Session).role] >= RANK[role];
}

// What concerns all products (keys, the audit, new products): not for a key that is bound to one.
export function useMayAll() {
  const { product } = useContext(Session);
  return useMay('admin') && !product;
}

export const Toasts = createContext(() => {});
export const useToast = () => useContext(Toasts);

// ---- reading -------------------------------------------------------------------------------

// Reads with fn(signal) now, whenever deps change, and whenever an event passes `wake`, but not again
// within `pace` ms: a busy fleet must not make a page that watches it busier. What is there stays shown
// while it is read again, also while the server is away.
export function useRead(fn, deps, wake, pace = 500) {
  const [value, set] = useState({ data: null, error: null });
  const run = useRef(null);
  const latest = useRef(fn);
  latest.current = fn;
  useEffect(() => {
    let gone = false, flying = false, resting = null, again = false, soon = false;
    const abort = new AbortController();
    set((v) => ({ ...v, stale: true }));
    // `now`: somebody did something and looks for what came of it.
    const read = async (now) => {
      if (flying || (resting && !now)) {
        again = true;
        soon ||= now;
        return;
      }
      clearTimeout(resting);
      flying = true;
      again = false;
      let wait = pace;
      try {
        const data = await latest.current(abort.signal);
        if (!gone) set({ data, error: null });
      } catch (error) {
        if (gone || error.name === 'AbortError') return;
        if (error.status === undefined) console.error(error); // a bug of the page
        set((v) => ({ ...v, error, stale: false }));
        if (error.status === 0 || error.status >= 500) {
          again = true;
          wait = 2000;
        }
      }
      flying = false;
      resting = setTimeout(() => {
        resting = null;
        if (again && !gone) read();
      }, soon ? 0 : wait);
      soon = false;
    };
    run.current = read;
    read();
    return () => {
      gone = true;
      abort.abort();
      clearTimeout(resting);
    };
  }, deps);
  useEvents((e) => {
    if (e.kind === 'lost' || (wake && wake(e))) run.current?.();
  });
  const reload = useCallback(() => run.current?.(true), []);
  return { ...value, reload };
}

// The clock, for "3 minutes ago".
export function useNow(ms = 10000) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return now;
}

// An action that is running: {busy, run}. Errors go to the toast, or to where `onError` puts them.
export function useAction(onError) {
  const [busy, set] = useState(false);
  const toast = useToast();
  const run = async (fn) => {
    set(true);
    try {
      return await fn();
    } catch (error) {
      if (onError) onError(error);
      else toast({ tone: 'bad', text: error.message, hint: error.hint });
      return undefined;
    } finally {
      set(false);
    }
  };
  return { busy, run };
}

// ---- words and signs -----------------------------------------------------------------------

export function Tag({ tone = 'quiet', sign, title, children }) {
  return (
    <span class={'tag ' + tone} title={title}>
      {sign && <span aria-hidden="true">{sign} </span>}
      {children}
    </span>
  );
}

export function State({ state }) {
  const [word, sign, tone, meaning] = STATES[state || 'none'] || [state, '?', 'quiet', ''];
  return <Tag tone={tone} sign={sign} title={meaning}>{word}</Tag>;
}

export function Verdict({ verdict }) {
  const [word, sign, tone] = VERDICTS[verdict] || [verdict, '?', 'quiet'];
  return <Tag tone={tone} sign={sign}>{word}</Tag>;
}

export function Ago({ at }) {
  const now = useNow();
  return <time dateTime={at || undefined} title={local(at)}>{ago(at, now)}</time>;
}

export function Bar({ value, max, label, tone = 'busy' }) {
  const pct = max > 0 ? Math.min(100, (value * 100) / max) : 0;
  return (
    <div class={'bar ' + tone} role="progressbar" aria-label={label} aria-valuemin="0" aria-valuemax={max} aria-valuenow={value}>
      <div style={{ width: pct + '%' }} />
    </div>
  );
}

// ---- boxes ---------------------------------------------------------------------------------

export function Card({ title, level = 2, actions, children, class: extra }) {
  const H = 'h' + level;
  return (
    <section class={'card ' + (extra || '')}>
      {title && <header><H>{title}</H>{actions && <div class="actions">{actions}</div>}</header>}
      {children}
    </section>
  );
}

export function Note({ tone = 'info', children, role }) {
  return <div class={'note ' + tone} role={role}>{children}</div>;
}

export function Problem({ error, retry }) {
  if (!error) return null;
  return (
    <Note tone="bad" role="alert">
      <p><strong>{error.message}</strong></p>
      {error.hint && <Hint text={error.hint} />}
      {retry && <button class="plain" onClick={retry}>Try again</button>}
    </Note>
  );
}

// A hint often ends with a command: that part gets its own line to copy.
export function Hint({ text }) {
  const at = text.search(/(curl|otad) (-|key )/);
  if (at < 0) return <p>{text}</p>;
  return <><p>{text.slice(0, at).trim()}</p><Copy text={text.slice(at).trim()} /></>;
}

// What is not there yet has its place already, so that nothing jumps when it comes.
export function Loading({ rows = 3, lines }) {
  return <div class={'loading' + (lines ? ' lines' : '')} aria-busy="true" aria-label="Loading">{Array.from({ length: rows }, (_, i) => <div key={i} />)}</div>;
}

export function Read({ read, rows, children }) {
  if (read.data) return <>{read.error && <Problem error={read.error} />}{children(read.data)}</>;
  if (read.error) return <Problem error={read.error} retry={read.reload} />;
  return <Loading rows={rows} />;
}

async function toClipboard(text, element) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers offer the clipboard only over TLS and on localhost: select it, and copy as of old.
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    document.execCommand('copy');
  }
}

export function Copy({ text, label = 'Copy' }) {
  const code = useRef(null);
  const [done, set] = useState(false);
  const copy = async () => {
    await toClipboard(text, code.current);
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return (
    <div class="copy">
      <code ref={code} tabIndex="0">{text}</code>
      <button class="plain" onClick={copy} aria-label={label + ': ' + text.slice(0, 60)}>{done ? 'Copied' : label}</button>
    </div>
  );
}

// ---- asking --------------------------------------------------------------------------------

export function Dialog({ title, onClose, children }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog.open) dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id} onCancel={(e) => { e.preventDefault(); onClose(); }}
      onClick={(e) => e.target === ref.current && onClose()}>
      <div class="dialog">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

// Says what will happen before it does. `action` may throw: its words are shown, the dialog stays.
export function Confirm({ title, verb, danger, action, onClose, children, ready = true }) {
  const [error, setError] = useState(null);
  const { busy, run } = useAction(setError);
  const confirm = async (e) => {
    e.preventDefault();
    setError(null);
    const done = await run(async () => {
      await action();
      return true;
    });
    if (done) onClose(true);
  };
  return (
    <Dialog title={title} onClose={() => onClose(false)}>
      <form onSubmit={confirm}>
        {children}
        <Problem error={error} />
        <div class="buttons">
          <button type="button" class="plain" onClick={() => onClose(false)}>Cancel</button>
          <button class={danger ? 'danger' : ''} disabled={busy || !ready}>{busy ? 'One moment …' : verb}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function Field({ label, hint, children }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hint ? id + '-hint' : undefined)}
      {hint && <small id={id + '-hint'}>{hint}</small>}
    </div>
  );
}

export function Text({ label, hint, value, onInput, ...rest }) {
  return (
    <Field label={label} hint={hint}>
      {(id, described) => <input id={id} aria-describedby={described} value={value} onInput={(e) => onInput(e.currentTarget.value)} {...rest} />}
    </Field>
  );
}

export function Select({ label, hint, value, onInput, options, ...rest }) {
  return (
    <Field label={label} hint={hint}>
      {(id, described) => (
        <select id={id} aria-describedby={described} value={value} onInput={(e) => onInput(e.currentTarget.value)} {...rest}>
          {options.map(([key, text]) => <option key={key} value={key}>{text}</option>)}
        </select>
      )}
    </Field>
  );
}

// The heading of a view: gets the focus when the view changes, so that a screen reader says it.
export function Title({ children, sub }) {
  const ref = useRef(null);
  useEffect(() => {
    ref.current?.focus({ preventScroll: true });
  }, []);
  return <div class="title"><h1 ref={ref} tabIndex="-1">{children}</h1>{sub && <p>{sub}</p>}</div>;
}

export function Facts({ rows }) {
  return (
    <dl class="facts">
      {rows.filter((row) => row[1] !== undefined && row[1] !== null && row[1] !== '').map(([name, value]) => (
        <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  );
}
