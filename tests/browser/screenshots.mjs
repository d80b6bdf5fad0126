// SPDX-License-Identifier: MIT
// Pictures of every view, light and dark, desktop and phone: make screenshots
// usage: node tests/browser/screenshots.mjs FOLDER
import fs from 'node:fs';
import { Daemon, closeBrowser, newPage, shot, signIn, sleep } from './harness.mjs';
import { makeFleet } from './fleet.mjs';

const folder = process.argv[2];
fs.mkdirSync(folder, { recursive: true });

const fleet = new Daemon(['--devices-new-devices-per-hour', '100000']);
const empty = new Daemon();
try {
  await fleet.start();
  await empty.start();
  const { failed, broken, installed } = await makeFleet(fleet);
  const key = fleet.key('me', 'admin');
  const views = {
    fleet: '', product: '#/p/lamp', devices: '#/p/lamp/devices', device: `#/p/lamp/devices/${broken}`, failed: `#/p/lamp/devices/${failed}`,
    installed: `#/p/lamp/devices/${installed}`, upload: '#/p/lamp/upload', activity: '#/activity', audit: '#/audit', keys: '#/keys', health: '#/health',
  };
  const sizes = { desktop: { viewport: { width: 1280, height: 860 } }, phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true } };
  for (const [size, options] of Object.entries(sizes))
    for (const colorScheme of ['light', 'dark']) {
      const name = (view) => `${folder}/${view}-${size}-${colorScheme}.png`;
      let page = await newPage(empty, { ...options, colorScheme });
      await page.goto(empty.url);
      await page.getByLabel('API key').waitFor();
      await shot(page, name('signin'));
      await signIn(page, empty, empty.key('me ' + size + colorScheme, 'admin'));
      await page.getByText('Three steps').waitFor();
      await sleep(300);
      await shot(page, name('start'));
      await page.context().close();
      page = await newPage(fleet, { ...options, colorScheme });
      await signIn(page, fleet, key);
      for (const [view, where] of Object.entries(views)) {
        await page.goto(fleet.url + '/' + where);
        await page.locator('h1').waitFor();
        await page.locator('.loading').waitFor({ state: 'detached' }).catch(() => {});
        if (view === 'activity') {
          await fleet.checkIn('lamp', installed, '2.0.0');
          await page.locator('.feed li').first().waitFor();
        }
        await sleep(500);
        await shot(page, name(view));
      }
      await page.goto(fleet.url + '/#/p/lamp/upload');
      await page.locator('#file').setInputFiles({ name: 'Lamp.ino', mimeType: 'text/plain', buffer: Buffer.from('void setup() {}\nvoid loop() {}\n') });
      await page.getByRole('button', { name: 'Upload and look at it' }).click();
      await page.getByRole('alert').waitFor();
      await shot(page, name('upload-refused'));
      await page.locator('#file').setInputFiles(fleet.image('Lamp-2.1.0.ino.bin', '--chip', 'ESP32', '--version', '2.1.0', '--seed', '5', '--size', '660000'));
      await page.getByRole('button', { name: 'Upload and look at it' }).click();
      await page.getByRole('heading', { name: 'Stored' }).waitFor();
      await sleep(300);
      await shot(page, name('upload-done'));
      const release = page.getByRole('button', { name: 'Release …' });
      if (await release.isVisible()) {
        await release.click();
        await page.locator('dialog .note').waitFor();
        await shot(page, name('release'));
      }
      for (const complaint of page.complaints) console.log(`${size} ${colorScheme}: ${complaint}`);
      await page.context().close();
    }
} finally {
  await closeBrowser();
  await fleet.free();
  await empty.free();
}
console.log(`${fs.readdirSync(folder).length} pictures in ${folder}`);
