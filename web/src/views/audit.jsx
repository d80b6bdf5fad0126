// SPDX-License-Identifier: MIT
// Who changed what.
import { useState } from 'preact/hooks';
import { get, seg } from '../api.js';
import { Card, Note, Read, Title, useMayAll, useRead } from '../ui.jsx';
import { bytes, stamp } from '../words.js';

const NOT_TOLD = { forced: false }; // what every upload says, and means nothing

function details(detail) {
  if (!detail || typeof detail === 'string') return detail;
  return Object.entries(detail).filter(([k, v]) => NOT_TOLD[k] !== v)
    .map(([k, v]) => `${k.replace(/_/g, ' ')}: ${v === '' ? '(none)' : k === 'size' ? bytes(v) : v}`).join(', ');
}

export function Audit() {
  const may = useMayAll();
  const [cursors, setCursors] = useState([null]);
  const cursor = cursors.at(-1);
  const read = useRead((signal) => (may ? get('/audit?limit=50' + (cursor ? '&cursor=' + seg(cursor) : ''), signal) : Promise.resolve({ items: [], next: null })), [cursor, may], (e) => e.kind === 'change' && cursors.length === 1);
  return (
    <>
      <Title sub="Who changed what, and from where.">Audit</Title>
      {!may ? <Note tone="wait">The audit is for admins of all products.</Note> : (
        <Card>
          <Read read={read} rows={10}>
            {(data) => (
              <div class="scroll"><table class="cards">
                <thead><tr><th scope="col">When (UTC)</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Product</th><th scope="col">Object</th><th scope="col">Detail</th><th scope="col">From</th></tr></thead>
                <tbody>{data.items.map((a) => (
                  <tr key={a.id}><td class="nowrap" data-label="When"><time dateTime={a.at}>{stamp(a.at).slice(0, 19)}</time></td><td class="word who-col" data-label="Who">{a.who}</td><td data-label="What">{a.action}</td><td data-label="Product">{a.product}</td><td class="word id-col" data-label="Object">{a.object}</td>
                    <td class="word soft" data-label="Detail">{details(a.detail)}</td><td class="soft" data-label="From">{a.address}</td></tr>
                ))}</tbody>
              </table></div>
            )}
          </Read>
          <div class="buttons">
            <button class="plain" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>Newer</button>
            <button class="plain" disabled={!read.data?.next} onClick={() => setCursors([...cursors, read.data.next])}>Older</button>
          </div>
        </Card>
      )}
    </>
  );
}
