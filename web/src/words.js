// SPDX-License-Identifier: MIT
// How things are called and written on the page.

// word, sign (so that colour never stands alone), tone (a class), what it means
export const STATES = {
  none: ['No update yet', '·', 'quiet', 'It was never offered a build.'],
  pending: ['Scheduled', '◷', 'wait', 'It gets the build at its next check-in.'],
  in_progress: ['Downloading', '↓', 'busy', 'The image is on its way, or the connection broke and the device is expected again.'],
  interrupted: ['Interrupted', '↯', 'wait', 'The download broke off; it goes on when the device asks again.'],
  sent: ['Delivered', '⇥', 'busy', 'The whole image arrived; not yet seen running.'],
  installed: ['Installed', '✓', 'good', 'It came back running the build.'],
  failed: ['Failed', '✕', 'bad', 'It did not get there.'],
  rolled_back: ['Rolled back', '↩', 'bad', 'It ran the build and went back to the one before.'],
  attempts_exhausted: ['Given up', '⊘', 'bad', 'Too many whole images without success: held until you say retry.'],
};
export const BROKEN = ['failed', 'rolled_back', 'attempts_exhausted'];
export const OPEN = ['pending', 'in_progress', 'sent'];

export const VERDICTS = {
  pass: ['goes on', '↓', 'quiet'],
  serve: ['gets a build', '↓', 'busy'],
  up_to_date: ['up to date', '✓', 'good'],
  hold: ['held back', '‖', 'wait'],
  refuse: ['refused', '✕', 'bad'],
};

const CAUSES = {
  came_back_old: 'came back on the old version',
  not_seen_again: 'was not seen again',
  peer_gone: 'connection closed by the device',
  stalled: 'nothing more arrived',
  server_shutdown: 'the server was stopped',
  superseded: 'another build came first',
  wont_fit: 'does not fit',
  wrong_chip: 'for another chip',
  reported: 'the device reported a failure',
  failed: 'failed, no cause known',
  rolled_back: 'rolled back',
  attempts_exhausted: 'given up',
};
export const cause = (word) => CAUSES[word] || String(word || '').replace(/^push_/, 'push: ').replace(/_/g, ' ');

// A device's update in words: its state, and where its download stands or broke.
export function stateOf(update) {
  const t = update?.transfer;
  if (!update) return { state: 'none', detail: '' };
  if (update.state === 'in_progress' && t?.state === 'aborted')
    return { state: 'interrupted', detail: `stopped at ${percent(t.bytes_acked, t.size)} %${t.cause ? ', ' + cause(t.cause) : ''}` };
  if (update.state === 'in_progress' && t) return { state: update.state, detail: `${percent(t.bytes_acked, t.size)} %` };
  return { state: update.state, detail: update.cause && update.cause !== update.state ? cause(update.cause) : '' };
}

export const bytes = (n) => (n == null ? '–' : Number(n).toLocaleString('en') + ' bytes');

export function size(n) {
  if (n == null) return '–';
  if (n < 1024) return n + ' B';
  if (n < 1048576) return (n / 1024).toFixed(0) + ' KiB';
  if (n < 1073741824) return (n / 1048576).toFixed(1) + ' MiB';
  return (n / 1073741824).toFixed(1) + ' GiB';
}

export const percent = (part, whole) => (whole > 0 ? Math.floor((part * 100) / whole) : 0);

export const count = (n, one, many) => `${Number(n).toLocaleString('en')} ${n === 1 ? one : many || one + 's'}`;

const UNITS = [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']];

// In its largest unit, and `exactly` in the next one too.
export function duration(s, exactly = false) {
  const at = UNITS.findIndex(([n]) => s >= n);
  if (at < 0) return 'less than a second';
  const [n, name] = UNITS[at];
  const [next, nextName] = UNITS[at + 1] || [];
  const rest = exactly && next ? Math.floor((s % n) / next) : 0;
  return count(Math.floor(s / n), name) + (rest > 0 ? ' ' + count(rest, nextName) : '');
}

export function ago(iso, now = Date.now()) {
  if (!iso) return 'never';
  const s = Math.round((now - Date.parse(iso)) / 1000);
  if (s < -1) return 'in ' + duration(-s);
  return s < 5 ? 'just now' : duration(s) + ' ago';
}

export const stamp = (iso) => (iso ? iso.replace('T', ' ').replace('Z', ' UTC') : 'never');
export const local = (iso) => (iso ? new Date(iso).toLocaleString() : 'never');

// A MAC address, or a part of one, in any spelling: its hex digits, or null.
export function macDigits(text) {
  const digits = text.trim().replace(/[\s:.\-_]/g, '');
  return /^[0-9a-f]{0,12}$/i.test(digits) ? digits.toUpperCase() : null;
}

export const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replace(/'/g, "'\\''") + "'");
