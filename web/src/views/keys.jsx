// SPDX-License-Identifier: MIT
// API keys: made, shown once, revoked.
import { useContext, useState } from 'preact/hooks';
import { all, api, get, seg } from '../api.js';
import { Ago, Card, Confirm, Copy, Note, Problem, Read, Select, Session, Tag, Text, Title, useAction, useMayAll, useRead } from '../ui.jsx';

const ROLES = [['viewer', 'viewer: may look'], ['publisher', 'publisher: may upload, release, hold'], ['admin', 'admin: everything']];

function Make({ products, onMade }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState('publisher');
  const [product, setProduct] = useState('');
  const [error, setError] = useState(null);
  const { busy, run } = useAction(setError);
  const submit = (e) => {
    e.preventDefault();
    setError(null);
    run(async () => {
      onMade(await api('POST', '/keys', { name: name.trim(), role, ...(product && { product }) }));
      setName('');
    });
  };
  return (
    <form onSubmit={submit} class="row">
      <Text label="Name" value={name} onInput={setName} required maxLength="128" placeholder="ci" />
      <Select label="Role" value={role} onInput={setRole} options={ROLES} />
      <Select label="For" value={product} onInput={setProduct} options={[['', 'all products'], ...products.map((p) => [p.slug, p.name])]} />
      <button disabled={busy || !name.trim()}>Make a key</button>
      <Problem error={error} />
    </form>
  );
}

export function Keys() {
  const may = useMayAll();
  const { name: mine } = useContext(Session);
  const [made, setMade] = useState(null);
  const [revoke, setRevoke] = useState(null);
  const read = useRead(async (signal) => {
    if (!may) return { keys: [], products: [] };
    const [keys, products] = await Promise.all([get('/keys', signal), all('/products', signal)]);
    return { keys: keys.items, products };
  }, [may], (e) => e.kind === 'change');
  if (!may) return <><Title>Keys</Title><Note tone="wait">Keys are for admins of all products.</Note></>;
  return (
    <>
      <Title sub="For people and scripts. Devices need none, unless their product says so.">Keys</Title>
      <Read read={read} rows={6}>
        {({ keys, products }) => (
          <>
            <Card title="A new key">
              {made ? (
                <>
                  <Note tone="good"><p><strong>{made.name}</strong>, {made.role}. This is the only time it is shown:</p><Copy text={made.key} /></Note>
                  <div class="buttons"><button onClick={() => setMade(null)}>I have it</button></div>
                </>
              ) : <Make products={products} onMade={(key) => { setMade(key); read.reload(); }} />}
            </Card>
            <Card title="All keys">
              <div class="scroll"><table class="cards">
                <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">For</th><th scope="col">Begins with</th><th scope="col">Made</th><th scope="col">State</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
                <tbody>{keys.map((k) => (
                  <tr key={k.name} class={k.revoked_at ? 'gone' : ''}>
                    <th scope="row" class="word">{k.name}{k.name === mine && <span class="soft"> (yours)</span>}</th><td data-label="Role">{k.role}</td><td data-label="For">{k.product || 'all products'}</td><td data-label="Begins with"><code>{k.hint}…</code></td><td data-label="Made"><Ago at={k.created_at} /></td>
                    <td data-label="State">{k.revoked_at ? <Tag tone="bad" sign="✕">revoked</Tag> : <Tag tone="good" sign="✓">in force</Tag>}</td>
                    <td class="actions">{!k.revoked_at && <button class="plain" onClick={() => setRevoke(k)} aria-label={`Revoke ${k.name}`}>Revoke …</button>}</td>
                  </tr>
                ))}</tbody>
              </table></div>
            </Card>
            {revoke && (
              <Confirm title={`Revoke ${revoke.name}?`} verb="Revoke it" danger onClose={(done) => { setRevoke(null); if (done) read.reload(); }} action={() => api('DELETE', `/keys/${seg(revoke.name)}`)}>
                <p>Whoever uses it is refused from now on, and signed out here. It can’t be taken back; its name stays taken.</p>
                {revoke.name === mine && <Note tone="bad">It is the key you are signed in with.</Note>}
              </Confirm>
            )}
          </>
        )}
      </Read>
    </>
  );
}
