// SPDX-License-Identifier: MIT
// The dashboard as people use it, in a real browser against a real daemon. Each scenario has a daemon
// or a page of its own; a page complains of script errors, breaches of the content security policy
// and requests to anybody else, and every scenario ends by asking for its complaints.
// usage: node tests/browser/test.mjs [SCENARIO…]
import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { AXE, Daemon, check, closeBrowser, failures, newPage, result, signIn, sleep, until } from './harness.mjs';
import { makeFleet } from './fleet.mjs';

const BUILD = process.env.BUILD || 'build';
const FLAGS = ['--devices-new-devices-per-hour', '100000'];

const text = (page) => page.locator('body').innerText();
const sees = async (page, words, what) =>
  check(await until(async () => (await text(page)).includes(words)), `${what}: '${words}' is not on the page:\n${(await text(page)).slice(0, 1500)}`);

async function withDaemon(fn, flags = FLAGS) {
  const d = new Daemon(flags);
  try {
    await d.start();
    await fn(d);
  } finally {
    await d.free();
  }
}

async function done(page, what) {
  check(page.complaints.length === 0, `${what}: ${page.complaints.slice(0, 5).join('; ')}`);
  await page.context().close();
}

// One fleet for the scenarios that only look.
let shared = null;
async function theFleet() {
  if (!shared) {
    const d = new Daemon(FLAGS);
    await d.start();
    shared = { d, ...(await makeFleet(d)), admin: d.key('me', 'admin'), publisher: d.key('pub', 'publisher'), viewer: d.key('eyes', 'viewer') };
  }
  return shared;
}

const VIEWS = (f) => ['', '#/p/lamp', '#/p/lamp/upload', '#/p/lamp/devices', `#/p/lamp/devices/${f.failed}`, `#/p/lamp/devices/${f.broken}`, '#/activity', '#/audit', '#/keys', '#/health', '#/nothing'];

async function settled(page) {
  await page.locator('h1').waitFor();
  await until(async () => (await page.locator('.loading').count()) === 0);
}

// ---- scenarios -----------------------------------------------------------------------------

const scenarios = {
  // First start to first updated device, and no documentation on the way.
  async newcomer() {
    await withDaemon(async (d) => {
      const page = await newPage(d);
      await page.goto(d.url);
      await page.getByLabel('API key').fill('otad_wrong');
      await page.keyboard.press('Enter');
      await sees(page, 'This key is unknown or was revoked', 'a wrong key');
      await page.getByLabel('API key').fill('  ' + d.key('me', 'admin') + '\n');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await sees(page, 'Three steps to the first updated device', 'an empty server');
      const base = (await d.api('GET', '/status')).device_urls[0];
      await sees(page, `ESPhttpUpdate.update(client, "${base}/fw/lamp/latest", "1.0.0");`, 'the sketch line');
      await page.getByLabel('What kind of device').fill('Büro Lampe 2');
      check((await page.getByLabel('Short name').inputValue()) === 'bu-ro-lampe-2' || (await page.getByLabel('Short name').inputValue()) === 'buro-lampe-2', 'the short name is ' + (await page.getByLabel('Short name').inputValue()));
      await page.getByLabel('Short name').fill('lamp');
      await page.getByRole('button', { name: 'Make it' }).click();
      await sees(page, 'Next: the first build', 'a product without builds');
      await page.getByRole('link', { name: 'Upload it here' }).click();
      await page.locator('#file').setInputFiles(d.image('Lamp.ino.bin', '--chip', 'ESP8266', '--version', '1.0.0', '--size', '300000'));
      await page.getByRole('button', { name: 'Upload and look at it' }).click();
      await sees(page, 'Stored: 1.0.0', 'an upload');
      await sees(page, 'It is kept back', 'an upload');
      await sees(page, 'an ESP8266 application', 'what the file is');
      await page.getByRole('button', { name: 'Release …' }).click();
      await sees(page, 'This touches 0 devices that follow stable', 'the release');
      await page.getByRole('button', { name: 'Release to stable' }).click();
      await sees(page, 'It is released', 'the release');
      check((await d.api('GET', '/products/lamp/channels/stable')).app.version === '1.0.0', 'the channel does not point at it');
      await page.getByRole('link', { name: 'Channels and builds' }).click();
      await sees(page, 'Next: the first device', 'a product without devices');
      await page.getByRole('link', { name: 'Devices', exact: true }).click();
      await sees(page, 'No device has asked yet', 'no devices');
      execFileSync(`${BUILD}/otad-device`, ['--server', d.url, '--product', 'lamp', '--mac', '5C:CF:7F:00:00:01', '--state', path.join(d.folder, 'dev'), '--once'], { stdio: 'ignore' });
      await sees(page, '5C:CF:7F:00:00:01', 'a device that has asked, without a reload');
      await sees(page, 'Installed', 'a device that was updated');
      await page.getByRole('link', { name: '5C:CF:7F:00:00:01' }).click();
      await sees(page, '0 → 1.0.0', 'its update');
      await sees(page, 'it reported success', 'its report');
      await page.getByText('Minute by minute').click();
      await sees(page, 'download began: 300000 bytes', 'its story');
      await done(page, 'newcomer');
    });
  },

  // Broken at 41 %, and the next time it works.
  async failure() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp', name: 'Lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '2.0.0', '--size', '900000'));
      const mac = '30:AE:A4:00:00:01';
      const page = await newPage(d);
      await signIn(page, d, d.key('me', 'admin'), '#/p/lamp/devices');
      await d.checkIn('lamp', mac, '1.0.0', { take: 0.41, pace: 4000000 });
      await sees(page, 'Interrupted', 'a broken download in the list');
      await page.getByRole('link', { name: mac }).click();
      await page.locator('.transfer').waitFor();
      const words = await page.locator('.transfer').innerText();
      const seen = Number(/stopped at (\d+) %/.exec(words)?.[1]);
      const update = (await d.api('GET', `/products/lamp/updates?mac=${mac}`)).items[0];
      const acked = update.transfers[0].bytes_acked;
      check(seen === Math.floor((acked * 100) / 900000) && seen >= 41 && seen < 100, `it says '${words}', ${acked} bytes were acknowledged`);
      check(words.includes('connection closed by the device'), `no cause: ${words}`);
      check(words.includes(acked.toLocaleString('en') + ' bytes of 900,000 bytes'), `not byte-true: ${words}`);
      await d.checkIn('lamp', mac, '1.0.0');
      await sees(page, 'Delivered', 'the whole image');
      await d.checkIn('lamp', mac, '2.0.0');
      await sees(page, 'Installed', 'the second try');
      await page.goto(d.url + '/#/');
      await sees(page, '100 % run the current build', 'the fleet afterwards');
      await done(page, 'failure');
    });
  },

  async refusals() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '1.0.0', '--seed', '1'));
      const page = await newPage(d);
      await signIn(page, d, d.key('me', 'publisher'), '#/p/lamp/upload');
      const put = async (file, version) => {
        await page.locator('#file').setInputFiles(file);
        await page.getByLabel('Version').fill(version || '');
        await page.getByRole('button', { name: 'Upload and look at it' }).click();
        await page.getByRole('alert').waitFor();
        return page.getByRole('alert').innerText();
      };
      let words = await put({ name: 'Lamp.ino', mimeType: 'text/plain', buffer: Buffer.from('void setup() {}\n') });
      check(words.includes('text file') && words.includes('.ino.bin'), `a source file: ${words}`);
      words = await put(d.image('Lamp.ino.merged.bin', '--chip', 'ESP32', '--kind', 'merged'), '2.0.0');
      check(/merged|factory/i.test(words), `a merged image: ${words}`);
      words = await put(d.image('b.bin', '--chip', 'ESP32', '--version', '1.0.0', '--seed', '2'));
      check(words.includes('1.0.0') && words.includes('What to do'), `the same version: ${words}`);
      words = await put(d.image('c.bin', '--chip', 'ESP8266', '--version', '3.0.0'));
      check(/ESP32/.test(words) && /ESP8266/.test(words), `another chip: ${words}`);
      check((await d.api('GET', '/products/lamp/builds')).items.length === 1, 'something that was refused is a build');
      // Compiled again after it was chosen: the browser won't read it any more.
      const built = d.image('again.bin', '--chip', 'ESP32', '--version', '3.1.0');
      await page.locator('#file').setInputFiles(built);
      await page.getByLabel('Version').fill('');
      await sleep(1100);
      d.image('again.bin', '--chip', 'ESP32', '--version', '3.1.1', '--size', '400000');
      await page.getByRole('button', { name: 'Upload and look at it' }).click();
      await sees(page, 'has changed since you chose it', 'a file that was built again');
      check((await d.api('GET', '/products/lamp/builds')).items.length === 1, 'half a file is a build');
      const dropped = await page.evaluateHandle(() => {
        const data = new DataTransfer();
        data.items.add(new File(['<html>404 Not Found</html>'], 'Dropped.bin'));
        return data;
      });
      await page.dispatchEvent('.drop', 'dragover', { dataTransfer: dropped });
      check((await page.locator('.drop.over').count()) === 1, 'a file over it does not show');
      await page.dispatchEvent('.drop', 'drop', { dataTransfer: dropped });
      await sees(page, 'Dropped.bin', 'a dropped file');
      await page.getByRole('button', { name: 'Upload and look at it' }).click();
      await sees(page, 'HTML', 'a dropped page');
      await page.locator('#file').setInputFiles(d.image('c.bin', '--chip', 'ESP8266', '--version', '3.0.0'));
      const curl = page.locator('details', { hasText: 'The same with curl' });
      await curl.locator('summary').click();
      const line = await curl.locator('code').first().innerText();
      check(line.startsWith('curl -H "Authorization: Bearer $KEY" -F file=@c.bin -F channel=none http'), `the curl line is ${line}`);
      execFileSync('sh', ['-c', line.replace('@c.bin', `@${d.image('d.bin', '--chip', 'ESP32', '--version', '4.0.0')}`).replace('curl', 'curl -fsS')], { env: { ...process.env, KEY: d.admin }, stdio: ['ignore', 'ignore', 'inherit'] });
      check((await d.api('GET', '/products/lamp/builds')).items[0].version === '4.0.0', 'the curl line, pasted into a shell, stores nothing');
      await done(page, 'refusals');
    });
  },

  // How far an upload is, on a slow line; and that Cancel leaves nothing.
  async progress() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp' });
      const page = await newPage(d);
      await signIn(page, d, d.key('me', 'publisher'), '#/p/lamp/upload');
      const network = await page.context().newCDPSession(page);
      await network.send('Network.enable');
      await network.send('Network.emulateNetworkConditions', { offline: false, latency: 5, downloadThroughput: 2e6, uploadThroughput: 400000 });
      const file = d.image('big.bin', '--chip', 'ESP32', '--version', '1.0.0', '--size', '1200000');
      await page.locator('#file').setInputFiles(file);
      await page.getByRole('button', { name: 'Upload and look at it' }).click();
      const values = new Set();
      await until(async () => {
        const value = await page.getByRole('progressbar', { name: 'Upload' }).getAttribute('aria-valuenow').catch(() => null);
        if (value !== null) values.add(Number(value));
        return values.size > 3;
      });
      check(values.size > 3, `the bar showed ${[...values]}`);
      await page.getByRole('button', { name: 'Cancel' }).click();
      await sees(page, 'Cancelled. Nothing was stored.', 'a cancelled upload');
      check((await d.api('GET', '/products/lamp/builds')).items.length === 0, 'a cancelled upload became a build');
      await network.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
      await page.getByRole('button', { name: 'Upload and look at it' }).click();
      await sees(page, 'Stored: 1.0.0', 'the second try');
      await done(page, 'progress');
    });
  },

  // The bar moves while the device downloads, and never shows what was not acknowledged.
  async live() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '2.0.0', '--size', '1200000'));
      const mac = '30:AE:A4:00:00:02';
      const page = await newPage(d);
      await d.checkIn('lamp', mac, '2.0.0');
      await signIn(page, d, d.key('me', 'viewer'), `#/p/lamp/devices/${mac}`);
      const going = d.checkIn('lamp', mac, '1.0.0', { pace: 130000 });
      const bar = page.getByRole('progressbar', { name: /^Download/ });
      await bar.waitFor();
      const values = [];
      await until(async () => {
        const value = Number(await bar.getAttribute('aria-valuenow'));
        if (value !== values.at(-1)) values.push(value);
        return value === 1200000;
      }, 30000);
      await going;
      check(values.length >= 4 && values.at(-1) === 1200000, `the bar showed ${values}`);
      check(values.every((v, i) => i === 0 || v > values[i - 1]), `the bar went back: ${values}`);
      await sees(page, '1,200,000 bytes of 1,200,000 bytes', 'the end');
      await done(page, 'live');
    });
  },

  async explain() {
    const f = await theFleet();
    const page = await newPage(f.d);
    await signIn(page, f.d, f.viewer, `#/p/lamp/devices/${f.rolledBack}`);
    const why = page.locator('.card', { hasText: 'Why it is answered so' });
    const want = await f.d.api('GET', `/products/lamp/devices/${f.rolledBack}/explain`);
    await why.waitFor();
    check((await why.innerText()).includes(want.text), `the panel says ${await why.innerText()}, explain says ${want.text}`);
    await why.locator('summary').click();
    const rules = await why.locator('.rules > li').count();
    check(rules === want.rules.length, `${rules} rules are shown of ${want.rules.length}`);
    for (const rule of want.rules) check((await why.innerText()).includes(rule.text), `the rule '${rule.text}' is not shown`);
    await sees(page, 'Rolled back', 'its state');
    await done(page, 'explain');
  },

  async roles() {
    const f = await theFleet();
    for (const [role, key, may, mayNot] of [
      ['viewer', f.viewer, [], ['Pause', 'Undo', 'Release', 'Withdraw', 'Upload', 'Audit', 'Keys']],
      ['publisher', f.publisher, ['Pause', 'Undo', 'Release', 'Withdraw', 'Upload'], ['Audit', 'Keys']],
      ['admin of one', f.d.key('lamp-admin', 'admin', 'lamp'), ['Pause', 'Undo', 'Release', 'Withdraw', 'Upload'], ['Audit', 'Keys', 'Plug']],
      ['admin', f.admin, ['Pause', 'Undo', 'Release', 'Withdraw', 'Upload', 'Audit', 'Keys'], []],
    ]) {
      const page = await newPage(f.d);
      await signIn(page, f.d, key, '#/p/lamp');
      await page.getByRole('heading', { name: 'Builds' }).waitFor();
      const names = await page.locator('button, a').allInnerTexts();
      for (const word of may) check(names.some((n) => n.startsWith(word)), `a ${role} has no ${word}`);
      for (const word of mayNot) check(!names.some((n) => n.startsWith(word)), `a ${role} has ${word}`);
      await page.goto(`${f.d.url}/#/p/lamp/devices/${f.installed}`);
      await page.getByRole('heading', { name: 'Its updates' }).waitFor();
      await sleep(300);
      check((await page.getByRole('button', { name: 'Hold it' }).count()) === (role === 'viewer' ? 0 : 1), `a ${role} and Hold`);
      await page.goto(f.d.url + '/#/');
      await page.locator('.product').first().waitFor();
      check((await page.locator('.product').count()) === (role === 'admin of one' ? 1 : 2), `a ${role} sees ${await page.locator('.product').count()} products`);
      check((await page.getByRole('heading', { name: 'Another product' }).count()) === (role === 'admin' ? 1 : 0), `a ${role} and a new product`);
      await page.goto(f.d.url + '/#/keys');
      await page.locator('h1').waitFor();
      if (role !== 'admin') await sees(page, 'Keys are for admins of all products', role);
      await done(page, role);
    }
  },

  async changes() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp', name: 'Lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '1.0.0', '--seed', '1'));
      await d.publish('lamp', d.image('b.bin', '--chip', 'ESP32', '--version', '2.0.0', '--seed', '2'));
      for (let i = 1; i <= 3; i++) await d.checkIn('lamp', `30:AE:A4:00:00:0${i}`, '2.0.0');
      const page = await newPage(d);
      await signIn(page, d, d.key('me', 'admin'), '#/p/lamp');
      await page.getByRole('button', { name: 'Undo the last release on stable' }).click();
      await sees(page, 'This touches 3 devices', 'undo');
      await page.keyboard.press('Escape');
      check((await page.locator('dialog').count()) === 0, 'Escape leaves the dialog open');
      check((await d.api('GET', '/products/lamp/channels/stable')).app.version === '2.0.0', 'Escape did it');
      await page.getByRole('button', { name: 'Undo the last release on stable' }).click();
      await page.getByRole('button', { name: 'Go back' }).click();
      await sees(page, 'stable points at 1.0.0 again', 'undo');
      await page.getByRole('button', { name: 'pause stable' }).click();
      await sees(page, 'paused', 'pause');
      check((await d.api('GET', '/products/lamp/channels/stable')).paused, 'it is not paused');
      await page.getByRole('button', { name: 'resume stable' }).click();
      await sees(page, 'offering', 'resume');
      await page.getByRole('button', { name: 'Release 2.0.0' }).click();
      await page.getByLabel('Channel').selectOption('');
      await page.getByLabel('Its name').fill('beta');
      await sees(page, 'This touches 0 devices', 'a release to a new channel');
      await page.getByRole('button', { name: 'Release to beta' }).click();
      await sees(page, '2.0.0 is on beta now', 'a release');
      await page.getByRole('button', { name: 'Withdraw 2.0.0' }).click();
      await sees(page, '3 devices run it now', 'withdraw');
      await page.getByRole('button', { name: 'Withdraw it' }).click();
      await sees(page, 'withdrawn', 'withdraw');

      await page.getByRole('link', { name: 'Devices', exact: true }).click();
      await page.getByRole('checkbox', { name: 'Choose 30:AE:A4:00:00:01' }).check();
      await page.getByRole('checkbox', { name: 'Choose 30:AE:A4:00:00:02' }).check();
      await page.getByRole('button', { name: 'Hold …', exact: true }).click();
      await sees(page, 'This touches 2 devices', 'bulk');
      await page.getByRole('dialog').getByRole('button', { name: 'Hold', exact: true }).click();
      await sees(page, 'Hold: 2 devices done', 'bulk');
      const held = (await d.api('GET', '/products/lamp/devices?sort=mac')).items.map((x) => x.held);
      check(JSON.stringify(held) === '[true,true,false]', `held are ${held}`);
      await page.getByRole('checkbox', { name: 'Choose all of this page' }).check();
      await page.getByRole('button', { name: 'Pin …', exact: true }).click();
      await page.getByRole('dialog').getByLabel('Build').selectOption({ label: '1.0.0' });
      await page.getByRole('dialog').getByRole('button', { name: 'Pin', exact: true }).click();
      await sees(page, 'Pin: 3 devices done', 'bulk pin');
      await sees(page, 'pinned 1.0.0', 'bulk pin');
      await page.getByRole('link', { name: '30:AE:A4:00:00:01' }).click();
      await sees(page, 'Held: nothing is offered', 'a held device');
      await page.getByRole('button', { name: 'Let it go on' }).click();
      await page.getByRole('button', { name: 'Hold it' }).waitFor();
      await page.getByLabel('Note').fill('Kitchen');
      await page.getByRole('button', { name: 'Save the note' }).click();
      await until(async () => (await d.api('GET', '/products/lamp/devices/30AEA4000001')).note === 'Kitchen');
      check((await d.api('GET', '/products/lamp/devices/30AEA4000001')).note === 'Kitchen', 'the note is not saved');
      await page.getByRole('button', { name: 'Retry' }).click();
      await sees(page, 'another try at its next check-in', 'retry');
      await page.getByRole('button', { name: 'Issue a URL …' }).click();
      await page.getByRole('button', { name: 'Issue it' }).click();
      await page.getByRole('img', { name: 'The URL as a QR code' }).waitFor();
      const url = await page.getByRole('dialog').locator('code').innerText();
      check((await fetch(url)).status === 200, `the issued URL ${url} is not good`);
      await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
      await page.getByRole('button', { name: 'Forget it …' }).click();
      await page.getByRole('button', { name: 'Forget it', exact: true }).click();
      await until(async () => (await d.api('GET', '/products/lamp/devices')).items.length === 2);
      check((await d.api('GET', '/products/lamp/devices')).items.length === 2, 'a device was not forgotten');

      await page.getByRole('link', { name: 'Keys' }).click();
      await page.getByLabel('Name').fill('ci');
      await page.getByRole('button', { name: 'Make a key' }).click();
      await sees(page, 'This is the only time it is shown', 'a new key');
      const key = await page.locator('.note code').innerText();
      check((await fetch(d.url + '/api/v1/products', { headers: { Authorization: 'Bearer ' + key } })).status === 200, 'the new key does not open');
      await page.getByRole('button', { name: 'I have it' }).click();
      check(!(await text(page)).includes(key), 'the key is shown still');
      await page.getByRole('button', { name: 'Revoke ci' }).click();
      await page.getByRole('button', { name: 'Revoke it' }).click();
      await sees(page, 'revoked', 'a revoked key');
      check((await fetch(d.url + '/api/v1/products', { headers: { Authorization: 'Bearer ' + key } })).status === 401, 'the revoked key opens');
      await page.getByRole('link', { name: 'Audit' }).click();
      await sees(page, 'key.revoke', 'the audit');
      await sees(page, 'channel.undo', 'the audit');
      await page.getByRole('link', { name: 'Health' }).click();
      await sees(page, 'Last commit took', 'health');
      await done(page, 'changes');
    });
  },

  // Push now, to a device that is there, and to one that isn't.
  async push() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '2.0.0', '--size', '400000'));
      await d.checkIn('lamp', '30:AE:A4:00:00:07', '1.0.0', { take: 0.01 });
      const double = spawn(`${BUILD}/tests/espota_device`, ['--core', 'esp32', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        const port = await new Promise((resolve) => double.stdout.once('data', (x) => resolve(String(x).trim().split('\n')[0])));
        const page = await newPage(d);
        await signIn(page, d, d.key('me', 'publisher'), '#/p/lamp/devices/30:AE:A4:00:00:07');
        const push = async (to) => {
          await page.getByRole('button', { name: 'Push now …' }).click();
          await page.getByLabel('Address').fill('127.0.0.1');
          await page.getByLabel('Port').fill(to);
          await page.getByRole('button', { name: 'Push', exact: true }).click();
        };
        await push(port);
        await sees(page, 'sends the image', 'the steps');
        await sees(page, '100 %: 400,000 bytes of 400,000 bytes acknowledged', 'the end of the push');
        await push('9');
        await sees(page, 'Likely, the likeliest first', 'a push to nobody');
        await done(page, 'push');
      } finally {
        double.kill();
      }
    });
  },

  async expired() {
    const f = await theFleet();
    const page = await newPage(f.d);
    await signIn(page, f.d, f.d.key('late', 'admin'), `#/p/lamp/devices/${f.installed}`);
    await page.getByRole('heading', { name: 'Its updates' }).waitFor();
    f.d.seed('age-sessions');
    await page.getByRole('button', { name: 'Hold it' }).click();
    await sees(page, 'Your session is over', 'a session that is over');
    check(!(await f.d.api('GET', `/products/lamp/devices/${f.installed}`)).held, 'it was held without a session');
    await page.getByLabel('API key').fill(f.admin);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Its updates' }).waitFor();
    check(page.url().endsWith(`/devices/${f.installed}`), `after signing in again it is at ${page.url()}`);
    const cookies = await page.context().cookies();
    check(cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === 'Strict', `cookies: ${JSON.stringify(cookies)}`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await sees(page, 'Signed out', 'signing out');
    await page.reload();
    await page.getByLabel('API key').waitFor();
    check((await page.context().cookies()).length === 0, 'the cookie is still there');
    await done(page, 'expired');
  },

  // The server goes and comes back while somebody looks.
  async restart() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp', name: 'Lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '1.0.0'));
      await d.checkIn('lamp', '30:AE:A4:00:00:01', '1.0.0');
      const page = await newPage(d);
      await signIn(page, d, d.key('me', 'viewer'), '#/p/lamp/devices');
      await sees(page, '30:AE:A4:00:00:01', 'before');
      await sees(page, 'live', 'before');
      await d.stop('SIGKILL');
      await sees(page, 'connection lost', 'while it is away');
      await sees(page, '30:AE:A4:00:00:01', 'what was shown stays');
      await d.start();
      await d.checkIn('lamp', '30:AE:A4:00:00:02', '1.0.0');
      await sees(page, 'live', 'afterwards');
      await sees(page, '30:AE:A4:00:00:02', 'what happened meanwhile');
      await done(page, 'restart');
    });
  },

  // Whatever a device, a file or a person can call things is text.
  async hostile() {
    await withDaemon(async (d) => {
      const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
      const short = '<img src=x onerror=alert(3)>';
      const seen = {};
      await d.api('POST', '/products', { slug: 'lamp', name: evil });
      const first = await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', short, '--seed', '1', '--desc', 'own', '--project', '<b>project'), { notes: evil }).catch((e) => { seen.version = e.message; return null; });
      const build = first || (await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '1.0.0', '--seed', '1'), { notes: evil }));
      const form = new FormData();
      form.append('notes', evil);
      form.append('version', '2.0.0');
      form.append('file', new Blob([fs.readFileSync(d.image('b.bin', '--chip', 'ESP32', '--seed', '2'))]), `${short}.bin`);
      await fetch(d.url + '/api/v1/products/lamp/builds', { method: 'POST', headers: { Authorization: 'Bearer ' + d.admin }, body: form });
      const mac = '30:AE:A4:00:00:05';
      await d.checkIn('lamp', mac, evil.slice(0, 64), { headers: { 'User-Agent': 'ESP32-http-Update' + evil, 'x-ESP32-chip': evil, 'x-ESP32-sketch-md5': evil } });
      await d.checkIn('lamp', mac, short);
      await d.report('lamp', mac, { result: 'failed', code: -1, message: evil });
      await d.api('PATCH', `/products/lamp/devices/${mac}`, { note: evil });
      await d.api('POST', '/keys', { name: '<img src=x onerror=alert(4)>', role: 'viewer' });
      const page = await newPage(d);
      await signIn(page, d, d.key(short, 'admin'));
      for (const where of ['', '#/p/lamp', '#/p/lamp/devices', `#/p/lamp/devices/${mac}`, '#/audit', '#/keys', '#/activity', '#/p/lamp/upload', '#/p/' + encodeURIComponent(evil), `#/p/lamp/devices/${encodeURIComponent(evil)}`]) {
        await page.goto(d.url + '/' + where);
        await page.locator('h1').waitFor();
        await sleep(200);
        for (const summary of await page.locator('summary').all()) await summary.click();
        check((await page.locator('img, body script').count()) === 0, `${where}: something became an element`);
      }
      await page.goto(d.url + '/#/p/lamp/devices/' + mac);
      await sees(page, evil, 'a hostile note, as text');
      await page.goto(d.url + '/#/p/lamp');
      await page.getByRole('button', { name: build.version, exact: true }).click();
      await sees(page, evil, 'hostile notes of a build, as text');
      check(page.complaints.every((c) => !c.includes('dialog')), 'a script ran');
      await done(page, 'hostile');
    });
  },

  // Long words break, on every view, and a MAC address in an address may be spelled in any way.
  async long() {
    await withDaemon(async (d) => {
      const word = 'w'.repeat(1000), mac = '30:AE:A4:00:00:09';
      await d.api('POST', '/products', { slug: 'l'.repeat(63), name: 'N'.repeat(128) });
      await d.api('POST', '/products', { slug: 'lamp', name: 'Lamp' });
      const build = await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--seed', '1'), { version: 'v'.repeat(64), notes: word });
      await d.checkIn('lamp', mac, 'o'.repeat(64));
      await d.report('lamp', mac, { result: 'failed', code: -7, message: word, build: build.id });
      await d.api('PATCH', `/products/lamp/devices/${mac}`, { note: word });
      const page = await newPage(d);
      await signIn(page, d, d.key('k'.repeat(128), 'admin'));
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 740 });
        for (const where of ['', '#/p/lamp', '#/p/lamp/devices', '#/p/lamp/devices/30-ae-a4-00-00-09', '#/keys', '#/audit', '#/p/lamp/upload']) {
          await page.goto(d.url + '/' + where);
          await settled(page);
          await sleep(200);
          for (const summary of await page.locator('main summary').all()) await summary.click();
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          check(wide <= 0, `${where} at ${width} px is ${wide} px too wide`);
        }
      }
      await page.goto(d.url + '/#/p/lamp/devices/30-ae-a4-00-00-09');
      await sees(page, mac, 'a device by another spelling');
      await page.goto(d.url + '/#/p/lamp');
      await page.getByRole('button', { name: 'v'.repeat(64), exact: true }).click();
      await page.getByRole('dialog').waitFor();
      const inside = await page.evaluate(() => { const x = document.querySelector('dialog'); return x.scrollWidth - x.clientWidth; });
      check(inside <= 0, `the dialog is ${inside} px too wide`);
      await done(page, 'long');
    });
  },

  // What was before somebody looked, and what comes while he does.
  async activity() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '1.0.0'));
      await d.checkIn('lamp', '30:AE:A4:00:00:01', '0');
      await d.checkIn('lamp', '30:AE:A4:00:00:01', '1.0.0');
      await until(async () => (await d.api('GET', '/events/recent?kind=update')).items[0]?.state === 'installed');
      const page = await newPage(d);
      await signIn(page, d, d.key('me', 'viewer'), '#/activity');
      const feed = page.locator('.feed li');
      await feed.first().waitFor();
      const all = await feed.allInnerTexts();
      check(all.some((t) => t.includes('build.upload')) && all.some((t) => t.includes('Installed')), `what was before is not there: ${all}`);
      check(all.filter((t) => t.includes('has all of it') || t.includes('downloads')).length === 1, `a download is there more than once: ${all}`);
      check(/installed|Installed|asked/.test(all[0]), `the newest is not the first: ${all[0]}`);
      await d.checkIn('lamp', '30:AE:A4:00:00:02', '1.0.0');
      await d.checkIn('lamp', '30:AE:A4:00:00:02', '1.0.0');
      check(await until(async () => (await feed.allInnerTexts()).some((t) => t.includes('30:AE:A4:00:00:02'))), 'what comes is not there');
      await page.getByRole('button', { name: 'Stop here' }).click();
      const stopped = await feed.count();
      await d.checkIn('lamp', '30:AE:A4:00:00:01', '1.0.0');
      await sleep(500);
      check((await feed.count()) === stopped, 'it goes on though it was stopped');
      await page.getByRole('button', { name: 'Go on' }).click();
      check(await until(async () => (await feed.count()) > stopped), 'what came while it was stopped is lost');
      await page.getByLabel('Show').selectOption('Updates');
      check((await feed.allInnerTexts()).every((t) => /Installed|Downloading|Scheduled|Delivered/.test(t)), 'updates only');
      await done(page, 'activity');
    });
  },

  // A hundred thousand devices: a page at a time.
  async many() {
    await withDaemon(async (d) => {
      await d.api('POST', '/products', { slug: 'lamp', name: 'Lamp' });
      await d.publish('lamp', d.image('a.bin', '--chip', 'ESP32', '--version', '1.6.0'));
      d.seed('devices', 'lamp', '100000');
      const page = await newPage(d);
      await signIn(page, d, d.key('me', 'admin'), '#/p/lamp/devices');
      const rows = page.locator('.devices tbody tr');
      await rows.first().waitFor();
      check((await rows.count()) === 100, `${await rows.count()} rows`);
      await sees(page, '100,000 devices', 'the count');
      const top = () => rows.first().locator('.mac').innerText();
      const first = await top();
      await page.getByRole('button', { name: 'Next' }).click();
      await until(async () => (await top()) !== first);
      check((await rows.count()) === 100 && (await top()) !== first, 'the second page is the first');
      await page.getByRole('button', { name: 'Previous' }).click();
      await until(async () => (await top()) === first);
      check((await top()) === first, 'back is not where it was');
      for (const spelling of ['30AEA401869F', '30:ae:a4:01:86:9f', '30-AE-A4-01-86-9F', '30ae.a401.869f', ' 30 ae a4 01 86 9f ', '01:86:9f']) {
        await page.getByLabel('MAC address', { exact: true }).fill(spelling);
        check(await until(async () => (await rows.count()) === 1 && (await rows.first().innerText()).includes('30:AE:A4:01:86:9F')), `${spelling} finds ${await rows.count()} rows`);
        await page.getByLabel('MAC address', { exact: true }).fill('');
        await until(async () => (await rows.count()) === 100);
      }
      await page.getByLabel('MAC address', { exact: true }).fill('lamp');
      await sees(page, 'Only 0–9 and A–F', 'a word that is no MAC');
      await page.getByLabel('MAC address', { exact: true }).fill('');
      await page.getByLabel('Order').selectOption('mac');
      check(await until(async () => (await rows.first().innerText()).includes('30:AE:A4:00:00:00')), 'the order by MAC');
      await page.getByLabel('Runs').selectOption('1.3.0');
      check(await until(async () => (await rows.first().innerText()).includes('30:AE:A4:00:00:03')), 'the filter by version');
      check(page.url().includes('version=1.3.0') && page.url().includes('sort=mac'), `the address does not say the filter: ${page.url()}`);
      await page.reload();
      check(await until(async () => (await rows.first().innerText()).includes('30:AE:A4:00:00:03')), 'the filter after a reload');
      // One act on all that match, on every page.
      await page.getByLabel('MAC address', { exact: true }).fill('30AEA4018');
      check(await until(async () => (await rows.first().innerText()).includes('30:AE:A4:01:80')), 'both filters together');
      const matching = (await d.api('GET', '/products/lamp/devices?version=1.3.0&q=30AEA4018&limit=500')).items.length;
      check(matching > 200 && matching < 300, `${matching} devices match`);
      await page.getByRole('checkbox', { name: 'Choose all of this page' }).check();
      await page.getByRole('button', { name: 'Choose all that match' }).click();
      await sees(page, 'All that match are chosen', 'all that match');
      await page.getByRole('button', { name: 'Hold …', exact: true }).click();
      await sees(page, `This touches ${matching} devices`, 'all that match');
      await page.getByRole('dialog').getByRole('button', { name: 'Hold', exact: true }).click();
      await sees(page, `Hold: ${matching} devices done`, 'all that match');
      const held = () => d.rows('device', 'held = 1');
      check(held() === matching, `${held()} devices are held`);
      await page.getByRole('checkbox', { name: 'Choose all of this page' }).check();
      await page.getByRole('checkbox', { name: 'Choose 30:AE:A4:01:80' }).first().uncheck();
      check((await page.getByRole('button', { name: 'Choose all that match' }).count()) === 0, 'all are offered though one is not wanted');
      // Cancelled on its way: what is done stays done, and it says how many.
      await page.getByLabel('MAC address', { exact: true }).fill('');
      await page.getByLabel('Runs').selectOption('');
      await until(async () => (await rows.first().innerText()).includes('30:AE:A4:00:00:00'));
      await page.getByRole('checkbox', { name: 'Choose all of this page' }).check();
      await page.getByRole('button', { name: 'Choose all of this product' }).click();
      await page.getByRole('button', { name: 'Hold …', exact: true }).click();
      await sees(page, 'This touches 100,000 devices', 'all of a product');
      await page.getByRole('dialog').getByRole('button', { name: 'Hold', exact: true }).click();
      await sees(page, 'Cancel stops here', 'all of a product');
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
      await sees(page, 'left as they were', 'a cancelled act');
      const some = held();
      check(some > matching && some < 100000, `${some} devices are held after the cancel`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      check(held() === some, 'it goes on after the cancel');
      await done(page, 'many');
    });
  },

  // axe finds nothing serious, in both colour schemes; nothing is wider than a phone; nothing jumps.
  async accessible() {
    const f = await theFleet();
    const axe = fs.readFileSync(AXE, 'utf8');
    for (const [scheme, options] of [['light', {}], ['dark', {}], ['light', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }]]) {
      const page = await newPage(f.d, { colorScheme: scheme, bypassCSP: true, ...options });
      await page.addInitScript(() => {
        window.shift = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((e) => { if (!e.hadRecentInput) window.shift += e.value; })).observe({ type: 'layout-shift', buffered: true });
      });
      const look = async (what) => {
        const found = await page.evaluate(async (source) => {
          if (!window.axe) (0, eval)(source);
          const { violations } = await window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] });
          return violations.filter((v) => v.impact === 'serious' || v.impact === 'critical').map((v) => `${v.id}: ${v.nodes.slice(0, 2).map((n) => n.html.slice(0, 160) + ' ' + n.failureSummary.slice(0, 200)).join(' | ')}`);
        }, axe);
        check(found.length === 0, `${scheme}, ${what}: ${found.join('\n   ')}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        check(wide <= 0, `${scheme}, ${what}: ${wide} px too wide`);
      };
      await page.goto(f.d.url);
      await page.getByLabel('API key').waitFor();
      await look('signing in');
      await signIn(page, f.d, f.admin);
      for (const where of VIEWS(f)) {
        await page.goto('about:blank');
        await page.goto(f.d.url + '/' + where);
        await settled(page);
        await sleep(250);
        const shift = await page.evaluate(() => window.shift);
        check(shift < 0.1, `${scheme}, ${where}: the layout shifts by ${shift.toFixed(3)}`);
        await look(where);
      }
      await page.goto(f.d.url + '/#/p/lamp');
      await page.getByRole('button', { name: 'Release 1.1.0' }).click();
      await page.locator('dialog .note').waitFor();
      await look('a dialog');
      page.complaints = page.complaints.filter((c) => !c.includes('Content Security Policy'));
      await done(page, 'accessible ' + scheme);
    }
  },

  // Everything without a mouse.
  async keyboard() {
    const f = await theFleet();
    const page = await newPage(f.d);
    await page.goto(f.d.url);
    await page.getByLabel('API key').waitFor();
    check((await page.evaluate(() => document.activeElement.type)) === 'password', 'the key field has not the focus');
    await page.keyboard.type(f.admin);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    await page.goto(f.d.url + '/#/p/lamp');
    await settled(page);
    check((await page.evaluate(() => document.activeElement.tagName)) === 'H1', 'a new view does not get the focus');
    const reach = async (name) => {
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => document.activeElement.getAttribute('aria-label') || document.activeElement.innerText);
        if (at === name) return true;
      }
      return false;
    };
    check(await reach('Undo the last release on stable'), 'Undo can’t be reached with Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    const inside = await page.evaluate(() => document.querySelector('dialog').contains(document.activeElement));
    check(inside, 'the focus is not in the dialog');
    await page.keyboard.press('Escape');
    check((await page.getByRole('dialog').count()) === 0, 'Escape leaves the dialog open');
    const outline = await page.evaluate(() => {
      const b = [...document.querySelectorAll('button')].find((x) => x.innerText === 'Sign out');
      b.focus();
      return getComputedStyle(b, null).outlineStyle;
    });
    check(outline !== 'none', 'the focus can’t be seen');
    await done(page, 'keyboard');
  },

  // All of it under 150 KiB, fetched once.
  async weight() {
    const f = await theFleet();
    const page = await newPage(f.d);
    const sizes = new Map();
    page.on('response', async (r) => {
      const where = new URL(r.url()).pathname;
      if (where === '/' || where.startsWith('/assets/')) sizes.set(where, (await r.request().sizes().catch(() => ({ responseBodySize: 0 }))).responseBodySize);
    });
    await signIn(page, f.d, f.viewer);
    await page.locator('.plot canvas').first().waitFor();
    const total = [...sizes.values()].reduce((a, b) => a + b, 0);
    check(sizes.size >= 3 && total > 10000 && total < 150 * 1024, `the page is ${total} bytes: ${JSON.stringify([...sizes])}`);
    console.log(`the page is ${total} bytes compressed (${[...sizes].map(([k, v]) => `${k} ${v}`).join(', ')})`);
    sizes.clear();
    await page.goto(f.d.url + '/?again');
    await settled(page);
    check([...sizes].filter(([k]) => k.startsWith('/assets/')).every(([, n]) => n <= 0), `assets were fetched again: ${JSON.stringify([...sizes])}`);
    await done(page, 'weight');
  },
};

const chosen = process.argv.slice(2);
for (const [name, fn] of Object.entries(scenarios)) {
  if (chosen.length && !chosen.includes(name)) continue;
  const start = Date.now(), before = failures();
  try {
    await fn();
  } catch (e) {
    check(false, `${name}: ${e.stack}`);
  }
  console.log(`${failures() === before ? 'ok  ' : 'FAIL'} ${name} ${((Date.now() - start) / 1000).toFixed(1)} s`);
}
await shared?.d.free();
await closeBrowser();
console.log(result());
process.exit(failures() ? 1 : 0);
