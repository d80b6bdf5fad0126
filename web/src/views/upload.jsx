// SPDX-License-Identifier: MIT
// A file goes in: shown what it is before anything is released.
import { useState } from 'preact/hooks';
import { get, seg, upload } from '../api.js';
import { href } from '../router.js';
import { Bar, Card, Copy, Hint, Note, Problem, Read, Text, Title, useMay, useRead } from '../ui.jsx';
import { bytes, percent, shell } from '../words.js';
import { Identity, Preflight, Release, Warnings } from './build.jsx';
import { useBase } from './start.jsx';
import { Tabs } from './tabs.jsx';

function Drop({ file, onFile }) {
  const [over, setOver] = useState(false);
  // Emptied at once: a browser says nothing when the same name is chosen again, after another build.
  const choose = (e) => {
    const chosen = e.currentTarget.files[0];
    if (chosen) onFile(chosen);
    e.currentTarget.value = '';
  };
  const drop = (e) => {
    e.preventDefault();
    setOver(false);
    if (e.dataTransfer.files[0]) onFile(e.dataTransfer.files[0]);
  };
  return (
    <div class={'drop' + (over ? ' over' : '')} onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={drop}>
      <input id="file" type="file" class="hidden" onChange={choose} aria-describedby="file-hint" />
      <p>{file ? <><strong>{file.name}</strong> <span class="soft">{bytes(file.size)}</span></> : 'Drop the compiled .bin here'}</p>
      <label for="file" class="button plain">{file ? 'Choose another' : 'Choose a file'}</label>
      <small id="file-hint">Arduino IDE: <code>Sketch.ino.bin</code> (not <code>.bootloader.bin</code>, <code>.partitions.bin</code>, <code>.merged.bin</code>). PlatformIO: <code>firmware.bin</code>. ESP-IDF: <code>build/project.bin</code>.</small>
    </div>
  );
}

// The line that does the same. Typed, not clicked: for a script.
function curl(base, slug, file, version, notes) {
  let line = `curl -H "Authorization: Bearer $KEY" -F file=@${shell(file?.name || 'Sketch.ino.bin')}`;
  if (version) line += ` -F version=${shell(version)}`;
  if (notes) line += ` -F notes=${shell(notes)}`;
  return `${line} -F channel=none ${base}/api/v1/products/${seg(slug)}/builds`;
}

// Built anew since it was chosen, say: a browser then reads it no more, and calls that a broken connection.
const CHANGED = { status: 400, message: 'The file on your disk has changed since you chose it.', hint: 'Choose it again, and what is there now is uploaded.' };
const isThere = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

function Refused({ error }) {
  return (
    <div role="alert" class="note bad refusal">
      <p><strong>{error.message}</strong></p>
      {error.hint && <><p class="soft">What to do:</p><Hint text={error.hint} /></>}
    </div>
  );
}

function Result({ slug, answer, onAnother }) {
  const [releasing, setReleasing] = useState(false);
  const [done, setDone] = useState(false);
  const build = answer.body;
  const p = `/products/${seg(slug)}`;
  const read = useRead(async (signal) => {
    const [product, channels, stats] = await Promise.all([get(p, signal), get(p + '/channels', signal), get(p + '/stats', signal)]);
    return { product, channels: channels.items, stats };
  }, [slug, done]);
  const released = done || build.channels.length > 0;
  return (
    <Card title={`Stored: ${build.version}`} class="result">
      {answer.status === 200 && <Note>These very bytes were here already, as this build.</Note>}
      <Warnings list={build.warnings} />
      <Preflight preflight={build.preflight} />
      <Identity build={build} />
      {released ? <Note tone="good"><span aria-hidden="true">✓ </span>It is released. Devices get it at their next check-in.</Note>
        : build.kind === 'factory' ? <Note>A factory image is for cables and web flashers: it can’t be released to devices.</Note>
          : <p>It is kept back: no device gets it before you release it.</p>}
      <div class="buttons">
        <button class="plain" onClick={onAnother}>Another file</button>
        <a class="button plain" href={href(['p', slug])}>All builds</a>
        {!released && build.kind !== 'factory' && <button disabled={!read.data} onClick={() => setReleasing(true)}>Release …</button>}
      </div>
      {releasing && read.data && <Release slug={slug} build={build} {...read.data} onClose={(ok) => { setReleasing(false); if (ok) setDone(true); }} />}
    </Card>
  );
}

export function Upload({ slug }) {
  const base = useBase();
  const may = useMay('publisher');
  const [file, setFile] = useState(null);
  const [version, setVersion] = useState('');
  const [notes, setNotes] = useState('');
  const [sent, setSent] = useState(null); // {loaded, total, abort}
  const [error, setError] = useState(null);
  const [answer, setAnswer] = useState(null);
  const read = useRead((signal) => get(`/products/${seg(slug)}`, signal), [slug]);
  const again = () => { setFile(null); setVersion(''); setNotes(''); setAnswer(null); setError(null); };
  const start = async (e) => {
    e.preventDefault();
    setError(null);
    if (!(await isThere(file))) {
      setError(CHANGED);
      return;
    }
    const form = new FormData();
    if (version.trim()) form.append('version', version.trim());
    if (notes.trim()) form.append('notes', notes.trim());
    form.append('channel', 'none');
    form.append('file', file, file.name);
    const going = upload(`/products/${seg(slug)}/builds`, form, (loaded, total) => setSent((s) => s && { ...s, loaded, total }));
    setSent({ loaded: 0, total: file.size, abort: going.abort });
    try {
      setAnswer(await going.done);
    } catch (problem) {
      setError(problem);
    } finally {
      setSent(null);
    }
  };
  return (
    <>
      <Title>{read.data?.name || slug}: upload a build</Title>
      <Tabs slug={slug} at="upload" />
      {!may && <Note tone="wait">Your key may only look. Uploading needs a publisher’s.</Note>}
      <Read read={read} rows={3}>{() => answer ? <Result slug={slug} answer={answer} onAnother={again} /> : (
        <Card title="The file">
          <form onSubmit={start}>
            <Drop file={file} onFile={(f) => { setFile(f); setError(null); }} />
            <div class="row">
              <Text label="Version" hint="Only if the image doesn’t say its own." value={version} onInput={setVersion} maxLength="64" placeholder="1.0.1" />
              <Text label="Notes" hint="What is new? Shown to people." value={notes} onInput={setNotes} maxLength="4096" />
            </div>
            {error && (error.status >= 400 && error.status < 500 ? <Refused error={error} /> : <Problem error={error} />)}
            {sent && (
              <div class="sending" aria-live="polite">
                <Bar value={sent.loaded} max={sent.total} label="Upload" />
                <p>{sent.loaded < sent.total ? <>{percent(sent.loaded, sent.total)} %: {bytes(sent.loaded)} of {bytes(sent.total)}</> : 'Arrived. It is looked into and stored …'}</p>
              </div>
            )}
            <div class="buttons">
              {sent && <button type="button" class="plain" onClick={sent.abort}>Cancel</button>}
              <button disabled={!file || !!sent || !may}>{sent ? 'Uploading …' : 'Upload and look at it'}</button>
            </div>
          </form>
          <details><summary>The same with curl</summary><Copy text={curl(base, slug, file, version.trim(), notes.trim())} /><p class="soft">Without <code>-F channel=none</code> it is released at once.</p></details>
        </Card>
      )}</Read>
    </>
  );
}
