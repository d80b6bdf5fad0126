// SPDX-License-Identifier: MIT
// The dashboard: who is signed in, which view, and what stands around it.
import { render } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import licenses from 'licenses';
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { api, get, setSession } from './api.js';
import { startLive, stopLive, useLiveState } from './live.js';
import { href, useRoute } from './router.js';
import { Card, Session, Tag, Title, Toasts } from './ui.jsx';
import { Activity } from './views/activity.jsx';
import { Audit } from './views/audit.jsx';
import { Device } from './views/device.jsx';
import { Devices } from './views/devices.jsx';
import { Fleet } from './views/fleet.jsx';
import { Health } from './views/health.jsx';
import { Keys } from './views/keys.jsx';
import { Product } from './views/product.jsx';
import { SignIn } from './views/signin.jsx';
import { Upload } from './views/upload.jsx';

function view({ parts, query }) {
  const [first, slug, what, mac] = parts;
  if (!first) return ['Fleet', <Fleet key="fleet" />];
  if (first === 'p' && slug && !what) return [slug, <Product key={slug} slug={slug} />];
  if (first === 'p' && what === 'upload') return [slug + ', upload', <Upload key={slug} slug={slug} />];
  if (first === 'p' && what === 'devices' && mac) return [mac, <Device key={slug + mac} slug={slug} mac={mac} />];
  if (first === 'p' && what === 'devices') return [slug + ', devices', <Devices key={slug} slug={slug} query={query} />];
  if (first === 'activity') return ['Activity', <Activity key="activity" />];
  if (first === 'audit') return ['Audit', <Audit key="audit" />];
  if (first === 'keys') return ['Keys', <Keys key="keys" />];
  if (first === 'health') return ['Health', <Health key="health" />];
  return ['Not here', <div key="none"><Title>There is nothing here</Title><Card><p><a href={href([])}>To the fleet</a></p></Card></div>];
}

function Live() {
  const state = useLiveState();
  return (
    <span role="status">
      {state === 'live' ? <Tag tone="good" sign="●">live</Tag> : <Tag tone="wait" sign="…">{state === 'lost' ? 'connection lost, trying again' : 'connecting'}</Tag>}
    </span>
  );
}

function Shell({ session, onOut, children, at }) {
  const [open, setOpen] = useState(false);
  const links = [['', 'Fleet'], ['activity', 'Activity'], ...(session.role === 'admin' && !session.product ? [['audit', 'Audit'], ['keys', 'Keys']] : []), ['health', 'Health']];
  const main = useRef(null);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current.focus(); }}>To the content</a>
      <header class="top">
        <a class="brand" href={href([])}>otad</a>
        <button class="plain menu" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>Menu</button>
        <nav id="nav" class={open ? 'open' : ''} aria-label="Main" onClick={() => setOpen(false)}>
          {links.map(([key, text]) => <a key={key} href={href(key ? [key] : [])} aria-current={key === at ? 'page' : undefined}>{text}</a>)}
        </nav>
        <div class="who"><Live /><span class="soft name" title={session.role}>{session.name}, {session.role}{session.product ? ` of ${session.product}` : ''}</span><button class="plain" onClick={onOut}>Sign out</button></div>
      </header>
      <main id="main" ref={main} tabIndex="-1">{children}</main>
      <footer><a href={licenses}>Licences of what this page is made of</a></footer>
    </>
  );
}

function Toast({ toast, onGone }) {
  useEffect(() => {
    const timer = setTimeout(onGone, toast.tone === 'bad' ? 15000 : 6000);
    return () => clearTimeout(timer);
  }, [toast]);
  return <div class={'toast ' + toast.tone}><div><strong>{toast.text}</strong>{toast.hint && <p>{toast.hint}</p>}</div><button class="plain" onClick={onGone} aria-label="Dismiss">✕</button></div>;
}

// Who was signed in here last, so that the page need not wait for the server to say so again. No
// secret: what it may do the server decides with each request, and it can't change anything before the
// server has answered.
const LAST = 'otad.session';
const lastSession = () => {
  try {
    return JSON.parse(localStorage.getItem(LAST));
  } catch {
    return null;
  }
};

function App() {
  const [session, setSessionState] = useState(lastSession);
  const [reason, setReason] = useState('');
  const [error, setError] = useState(null);
  const [toasts, setToasts] = useState([]);
  const route = useRoute();

  const out = useCallback((why) => {
    stopLive();
    localStorage.removeItem(LAST);
    setSession(null);
    setReason(why || '');
    setSessionState(null);
  }, []);
  const enter = useCallback((s) => {
    setSession(s, out);
    localStorage.setItem(LAST, JSON.stringify({ name: s.name, role: s.role, product: s.product }));
    setError(null);
    setReason('');
    setSessionState(s);
    startLive((again) => get('/session').then(again, (e) => (e.status === 401 ? out('Your session is over. Sign in again to go on where you were.') : again())));
  }, []);
  const look = useCallback(() => {
    get('/session').then(enter, (e) => {
      if (e.status === 401) out(lastSession() ? 'Your session is over. Sign in again to go on where you were.' : '');
      else {
        setError(e);
        setTimeout(look, 3000);
      }
    });
  }, []);
  useEffect(look, []);
  useEffect(() => {
    const shown = () => {
      if (document.visibilityState === 'visible' && session) get('/session').catch(() => {});
    };
    document.addEventListener('visibilitychange', shown);
    return () => document.removeEventListener('visibilitychange', shown);
  }, [session]);

  const add = useCallback((t) => setToasts((list) => [...list, { ...t, key: Date.now() + Math.random() }].slice(-4)), []);
  const signOut = async () => {
    try {
      await api('DELETE', '/session');
    } catch (e) {
      if (e.status !== 401) {
        add({ tone: 'bad', text: e.message, hint: e.hint });
        return;
      }
    }
    out('Signed out.');
  };

  const [title, content] = view(route);
  useEffect(() => {
    document.title = session ? `${title} · otad` : 'otad';
  }, [title, session]);
  useEffect(() => scrollTo(0, 0), [route.parts.join('/')]);

  if (!session) return <SignIn reason={reason} error={error} onIn={enter} />;
  return (
    <Session.Provider value={session}>
      <Toasts.Provider value={add}>
        <Shell session={session} onOut={signOut} at={route.parts[0] === 'p' ? '' : route.parts[0] || ''}>{content}</Shell>
        <div class="toasts" aria-live="polite">{toasts.map((t) => <Toast key={t.key} toast={t} onGone={() => setToasts((list) => list.filter((x) => x !== t))} />)}</div>
      </Toasts.Provider>
    </Session.Provider>
  );
}

const root = document.getElementById('app');
root.replaceChildren(); // else what stood there is pushed about before it goes
render(<App />, root);
