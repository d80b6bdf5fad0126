// SPDX-License-Identifier: MIT
// What the browser tests stand on: a daemon of their own, devices played by plain requests, Debian's
// Chromium, and checks that are counted.
import { spawn, execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

const BUILD = process.env.BUILD || 'build';
const require = createRequire(path.resolve(process.env.BROWSER_MODULES || 'build/browser', 'node_modules') + '/');
const { chromium } = require('playwright-core');
export const AXE = require.resolve('axe-core/axe.min.js');

let passed = 0, failed = 0;

export function check(ok, what) {
  if (ok) passed++;
  else {
    failed++;
    console.log('browser: ' + what);
  }
  return !!ok;
}

export const result = () => `${passed} passed, ${failed} failed`;
export const failures = () => failed;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Waits until fn() gives something true; what it gave last.
export async function until(fn, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await fn();
    if (value || Date.now() > end) return value;
    await sleep(50);
  }
}

export class Daemon {
  constructor(flags = []) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'otad-browser-'));
    this.data = path.join(this.folder, 'data');
    this.flags = flags;
    this.listen = '127.0.0.1:0';
  }

  async start() {
    const address = path.join(this.data, 'otad.addr');
    fs.rmSync(address, { force: true });
    const log = fs.openSync(path.join(this.folder, 'log'), 'a');
    this.process = spawn(`${BUILD}/otad`, ['serve', '--data-dir', this.data, '--listen', this.listen, ...this.flags], { stdio: ['ignore', 'ignore', log] });
    fs.closeSync(log);
    if (!(await until(() => fs.existsSync(address) || this.process.exitCode !== null)) || this.process.exitCode !== null)
      throw new Error('otad did not start: ' + this.log().slice(-1000));
    this.url = 'http://' + fs.readFileSync(address, 'utf8').split('\n')[0];
    this.listen = this.url.slice(7); // the same again after a restart
  }

  async stop(signal = 'SIGTERM') {
    if (!this.process || this.process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    await ended;
  }

  async free() {
    await this.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  log() {
    return fs.readFileSync(path.join(this.folder, 'log'), 'utf8');
  }

  key(name, role, product) {
    return execFileSync(`${BUILD}/otad`, ['key', 'create', '--data-dir', this.data, '--name', name, '--role', role, ...(product ? ['--product', product] : [])], { encoding: 'utf8' }).trim();
  }

  async api(method, where, body) {
    this.admin ||= this.key('harness', 'admin');
    const answer = await fetch(this.url + '/api/v1' + where, {
      method, headers: { Authorization: 'Bearer ' + this.admin, ...(body && { 'Content-Type': 'application/json' }) }, body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  // Writes beside the daemon what a test can't wait for.
  seed(...args) {
    execFileSync('python3', ['tests/browser/seed.py', path.join(this.data, 'otad.db'), ...args], { stdio: 'inherit' });
  }

  // Rows of a table, as no list of the API counts them.
  rows(table, where) {
    const ask = `import sqlite3, sys; print(sqlite3.connect(sys.argv[1], timeout=30).execute("SELECT count(*) FROM ${table} WHERE ${where}").fetchone()[0])`;
    return Number(execFileSync('python3', ['-c', ask, path.join(this.data, 'otad.db')]));
  }

  image(name, ...args) {
    const out = path.join(this.folder, name);
    execFileSync(`${BUILD}/tests/mkimage`, ['--out', out, ...args], { stdio: 'ignore' });
    return out;
  }

  async publish(slug, file, fields = {}) {
    this.admin ||= this.key('harness', 'admin');
    const form = new FormData();
    for (const [k, v] of Object.entries(fields)) form.append(k, v);
    form.append('file', new Blob([fs.readFileSync(file)]), path.basename(file));
    const answer = await fetch(`${this.url}/api/v1/products/${slug}/builds`, { method: 'POST', headers: { Authorization: 'Bearer ' + this.admin }, body: form });
    const build = await answer.json();
    if (!answer.ok) throw new Error(`upload: ${answer.status} ${JSON.stringify(build)}`);
    return build;
  }

  // An ESP32 that asks as HTTPUpdate does. Of an image it takes `take` of 1, `pace` bytes a second
  // (0: at once), and then closes. @return the status
  checkIn(slug, mac, version, { take = 1, pace = 0, headers = {} } = {}) {
    return new Promise((resolve, reject) => {
      const request = http.get(`${this.url}/fw/${slug}/latest`, {
        agent: false,
        headers: { 'User-Agent': 'ESP32-http-Update', 'x-ESP32-STA-MAC': mac, 'x-ESP32-version': version, 'x-ESP32-mode': 'sketch', 'x-ESP32-free-space': '1310720', ...headers },
      }, (answer) => {
        const size = Number(answer.headers['content-length'] || 0);
        let got = 0;
        const end = () => {
          request.destroy();
          resolve(answer.statusCode);
        };
        answer.on('data', (piece) => {
          got += piece.length;
          if (take < 1 && got >= size * take) return end();
          if (pace > 0) {
            answer.pause();
            setTimeout(() => answer.resume(), (piece.length * 1000) / pace);
          }
        });
        answer.on('end', () => resolve(answer.statusCode));
        answer.on('error', () => resolve(answer.statusCode));
      });
      request.on('error', reject);
    });
  }

  report(slug, mac, body) {
    return fetch(`${this.url}/fw/${slug}/${mac}/report`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  }
}

let browser = null;

export async function openBrowser() {
  // Of its own name resolution and its vendor's services nothing leaves this machine.
  browser ||= await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--no-first-run', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = null;
}

// A page of a browser without cookies, which complains of what no page may do: errors, breaches of the
// content security policy, and requests to anybody else.
export async function newPage(daemon, options = {}) {
  const context = await (await openBrowser()).newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.complaints = [];
  page.on('pageerror', (e) => page.complaints.push('error: ' + e.message));
  page.on('console', (m) => m.type() === 'error' && !/Failed to load resource|ERR_CONNECTION|net::/.test(m.text()) && page.complaints.push('console: ' + m.text()));
  page.on('request', (r) => !r.url().startsWith(daemon.url + '/') && !r.url().startsWith('data:') && !r.url().startsWith('blob:') && page.complaints.push('asked ' + r.url()));
  page.on('dialog', (d) => {
    page.complaints.push('a dialog: ' + d.message());
    d.dismiss();
  });
  return page;
}

export async function signIn(page, daemon, key, where = '') {
  await page.goto(daemon.url + '/' + where);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

export async function shot(page, file) {
  await page.screenshot({ path: file, fullPage: true });
}
