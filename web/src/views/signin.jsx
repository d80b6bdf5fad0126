// SPDX-License-Identifier: MIT
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api.js';
import { Note, Problem, Text, useAction } from '../ui.jsx';

export function SignIn({ reason, error: away, onIn }) {
  const [key, setKey] = useState('');
  const [error, setError] = useState(null);
  const { busy, run } = useAction(setError);
  const form = useRef(null);
  useEffect(() => form.current?.querySelector('input')?.focus(), []);
  const submit = (e) => {
    e.preventDefault();
    setError(null);
    run(async () => onIn(await api('POST', '/session', { key: key.trim() })));
  };
  return (
    <main class="signin">
      <form ref={form} onSubmit={submit} class="card">
        <h1>otad</h1>
        <p>The firmware server of your devices. Sign in with an API key.</p>
        {reason && !error && <Note>{reason}</Note>}
        <Text label="API key" type="password" autocomplete="current-password" value={key} onInput={setKey} required spellcheck={false} placeholder="otad_…" />
        <Problem error={error || away} />
        <button disabled={busy || !key.trim()}>{busy ? 'One moment …' : 'Sign in'}</button>
        <details>
          <summary>I have no key</summary>
          <p>Make one on the machine that otad runs on; it prints the key and nothing else:</p>
          <pre>otad key create --name me --role admin</pre>
          <p>Not with the default data folder? Add <code>--data-dir DIR</code>. With <code>make run</code> the key stands in <code>build/run/key</code>.</p>
        </details>
      </form>
    </main>
  );
}
