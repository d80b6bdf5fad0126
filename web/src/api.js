// SPDX-License-Identifier: MIT
// Asks /api/v1 with the session cookie. What goes wrong becomes an ApiError with the server's own
// words; a session that is over is told to whoever set onSignedOut.

export class ApiError extends Error {
  constructor(status, error, detail) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.hint = error.hint || '';
    this.detail = detail; // the whole body of the answer
  }
}

let csrf = '-';
let onSignedOut = () => {};

export function setSession(session, signedOut) {
  csrf = session?.csrf || '-';
  if (signedOut) onSignedOut = signedOut;
}

const OFFLINE = {
  code: 'offline',
  message: 'The server does not answer.',
  hint: 'Is otad running, and is this computer on its network? This page tries again by itself.',
};

function read(status, text) {
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null; // a proxy's page, say
  }
  if (status >= 200 && status < 300) return body;
  const error = body?.error || { code: 'http', message: `The server answered ${status}.`, hint: '' };
  if (status === 401 && csrf !== '-') onSignedOut('Your session is over. Sign in again to go on where you were.');
  throw new ApiError(status, error, body);
}

export async function api(method, path, json, signal) {
  const headers = { 'X-Otad-CSRF': csrf, Accept: 'application/json' };
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  let answer, text;
  try {
    answer = await fetch('/api/v1' + path, {
      method, headers, signal, credentials: 'same-origin', cache: 'no-store',
      body: json !== undefined ? JSON.stringify(json) : undefined,
    });
    text = await answer.text();
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new ApiError(0, OFFLINE);
  }
  return read(answer.status, text);
}

export const get = (path, signal) => api('GET', path, undefined, signal);

// XMLHttpRequest because fetch tells nobody how far a body has gone.
export function upload(path, form, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded, e.total);
    request.onload = () => {
      try {
        resolve({ status: request.status, body: read(request.status, request.responseText) });
      } catch (e) {
        reject(e);
      }
    };
    request.onerror = () => reject(new ApiError(0, {
      code: 'offline', message: 'The connection broke while the file was on its way.',
      hint: 'Nothing of it was stored. Try again; if it breaks at the same place each time, look at what stands between here and the server (a proxy with a size limit, say).',
    }));
    request.onabort = () => reject(new ApiError(0, { code: 'aborted', message: 'Cancelled. Nothing was stored.', hint: '' }));
  });
  request.open('POST', '/api/v1' + path);
  request.setRequestHeader('X-Otad-CSRF', csrf);
  request.send(form);
  return { done, abort: () => request.abort() };
}

export function query(values) {
  const pairs = Object.entries(values).filter(([, v]) => v !== undefined && v !== null && v !== '');
  return pairs.length ? '?' + new URLSearchParams(pairs).toString() : '';
}

export const seg = encodeURIComponent;

// All pages of a list, for lists that are short by nature.
export async function all(path, signal, max = 500) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path + (path.includes('?') ? '&' : '?') + 'limit=500' + (cursor ? '&cursor=' + seg(cursor) : ''), signal);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < max);
  return items;
}
