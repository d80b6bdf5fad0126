// SPDX-License-Identifier: MIT
// How soon the dashboard can be read on a slow phone: 360 px, a processor four times slower than this
// one, 1.6 Mbit/s down, 0.75 Mbit/s up, 150 ms there and back. Prints; judges nothing.
import { Daemon, closeBrowser, newPage, signIn } from './harness.mjs';
import { makeFleet } from './fleet.mjs';

const RUNS = Number(process.env.RUNS || 5);
const d = new Daemon(['--devices-new-devices-per-hour', '100000']);

// The page's own clock says when the first frame with `selector` in it was drawn: looking from outside
// would cost the slowed processor as much as the page does.
async function once(page, url, selector) {
  await page.goto('about:blank');
  await page.goto(url);
  return page.evaluate((s) => new Promise((resolve) => {
    const look = () => (window.seen[s] !== undefined && window.seen[s] !== Infinity
      ? resolve({ shown: window.seen[s], paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime || 0 })
      : setTimeout(look, 200));
    look();
  }), selector);
}

const WANTED = ['input[type=password]', '.product .numbers', '.devices tbody tr'];
const watch = (wanted) => {
  window.seen = {};
  new MutationObserver(() => {
    for (const s of wanted)
      if (window.seen[s] === undefined && document.querySelector(s)) {
        window.seen[s] = Infinity;
        requestAnimationFrame(() => requestAnimationFrame(() => { window.seen[s] = performance.now(); }));
      }
  }).observe(document, { childList: true, subtree: true });
};

const line = (name, all) => {
  const of = (key) => all.map((x) => x[key]).sort((a, b) => a - b);
  const words = (n) => `${Math.round(n[0])} to ${Math.round(n.at(-1))}, median ${Math.round(n[n.length >> 1])} ms`;
  console.log(`${name.padEnd(34)} first paint ${words(of('paint'))}; content ${words(of('shown'))}`);
};

try {
  await d.start();
  await makeFleet(d);
  d.seed('devices', 'plug', '100000');
  const key = d.key('me', 'viewer');
  for (const [name, slow] of [['this machine', false], ['slow phone', true]]) {
    const cold = { signin: [], fleet: [] }, warm = { fleet: [], devices: [] };
    for (let i = 0; i < RUNS; i++) {
      const page = await newPage(d, slow ? { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true } : {});
      await page.addInitScript(watch, WANTED);
      const cdp = await page.context().newCDPSession(page);
      if (slow) {
        await cdp.send('Network.enable');
        await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 150, downloadThroughput: 200000, uploadThroughput: 93750 });
        await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 });
      }
      cold.signin.push(await once(page, d.url + '/', 'input[type=password]'));
      await signIn(page, d, key);
      warm.fleet.push(await once(page, d.url + '/#/', '.product .numbers'));
      warm.devices.push(await once(page, d.url + '/#/p/plug/devices', '.devices tbody tr'));
      await cdp.send('Network.enable');
      await cdp.send('Network.clearBrowserCache');
      cold.fleet.push(await once(page, d.url + '/#/', '.product .numbers'));
      await page.context().close();
    }
    line(`${name}: sign-in, nothing cached`, cold.signin);
    line(`${name}: fleet, nothing cached`, cold.fleet);
    line(`${name}: fleet, cached`, warm.fleet);
    line(`${name}: 100,000 devices, cached`, warm.devices);
  }
} finally {
  await closeBrowser();
  await d.free();
}
