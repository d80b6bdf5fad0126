// SPDX-License-Identifier: MIT
// What to do when there is nothing yet: with this server's own address, ready to paste.
import { useState } from 'preact/hooks';
import { api, get, seg } from '../api.js';
import { go, href } from '../router.js';
import { Card, Copy, Problem, Text, useAction, useMay, useMayAll, useRead } from '../ui.jsx';

export function useBase() {
  const read = useRead((signal) => get('/status', signal), []);
  return read.data?.device_urls?.[0] || location.origin;
}

export const curlLine = (base, slug, extra = '') =>
  `curl -H "Authorization: Bearer $KEY" -F file=@Sketch.ino.bin${extra} ${base}/api/v1/products/${seg(slug)}/builds`;

export function NewProduct({ first }) {
  const [name, setName] = useState('');
  const [slug, setSlug] = useState(null);
  const [error, setError] = useState(null);
  const { busy, run } = useAction(setError);
  const may = useMayAll();
  const made = name.toLowerCase().normalize('NFD').replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+|-+$/g, '').slice(0, 63);
  const word = slug ?? made;
  if (!may) return <p>An admin can make {first ? 'the first' : 'a'} product. Your key may only look.</p>;
  const submit = (e) => {
    e.preventDefault();
    setError(null);
    run(async () => {
      await api('POST', '/products', { slug: word, name: name.trim() || word });
      go(['p', word]);
    });
  };
  return (
    <form onSubmit={submit} class="row">
      <Text label="What kind of device is it?" value={name} onInput={setName} placeholder="Lamp" required />
      <Text label="Short name, for URLs" value={word} onInput={setSlug} pattern="[a-z0-9][a-z0-9._\-]{0,62}" required />
      <button disabled={busy || !word}>Make it</button>
      <Problem error={error} />
    </form>
  );
}

// The lines that go into a sketch.
export function SketchLines({ base, slug }) {
  const url = `${base}/fw/${slug}/latest`;
  return (
    <>
      <p class="soft">ESP8266 (ESP8266httpUpdate):</p>
      <Copy text={`ESPhttpUpdate.update(client, "${url}", "1.0.0");`} />
      <p class="soft">ESP32 (HTTPUpdate):</p>
      <Copy text={`httpUpdate.update(client, "${url}", "1.0.0");`} />
      <p class="soft">The self-updating sketch that reads <code>&lt;MAC&gt;.version</code>:</p>
      <Copy text={`const char *fwUrlBase = "${base}/fw/${slug}/";`} />
    </>
  );
}

export function FirstSteps() {
  const base = useBase();
  return (
    <Card title="Three steps to the first updated device">
      <ol class="steps">
        <li><h3>Name a product</h3><p>A kind of device: same chip, same firmware.</p><NewProduct first /></li>
        <li><h3>Upload a build</h3><p>The <code>.ino.bin</code> of Arduino IDE’s <em>Export Compiled Binary</em>, PlatformIO’s <code>firmware.bin</code>, ESP-IDF’s <code>build/…bin</code>. Here by drag and drop once there is a product, or:</p><Copy text={curlLine(base, 'lamp')} /></li>
        <li><h3>Point devices here</h3><p>With the update code they already have:</p><SketchLines base={base} slug="lamp" /></li>
      </ol>
    </Card>
  );
}

// A product without builds, or without devices.
export function NextStep({ slug, builds, devices }) {
  const base = useBase();
  const may = useMay('publisher');
  if (builds > 0 && devices > 0) return null;
  return (
    <Card title={builds === 0 ? 'Next: the first build' : 'Next: the first device'}>
      {builds === 0 ? (
        <>
          <p>{may ? <><a href={href(['p', slug, 'upload'])}>Upload it here</a>, or from a terminal or CI:</> : 'From a terminal or CI, with a publisher’s key:'}</p>
          <Copy text={curlLine(base, slug)} />
        </>
      ) : (
        <>
          <p>Put one of these lines into the sketch. A device appears here the moment it first asks.</p>
          <SketchLines base={base} slug={slug} />
        </>
      )}
    </Card>
  );
}
