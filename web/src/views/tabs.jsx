// SPDX-License-Identifier: MIT
import { href } from '../router.js';
import { useMay } from '../ui.jsx';

export function Tabs({ slug, at }) {
  const may = useMay('publisher');
  const tabs = [['builds', 'Channels and builds', ['p', slug]], ['devices', 'Devices', ['p', slug, 'devices']]];
  if (may) tabs.push(['upload', 'Upload', ['p', slug, 'upload']]);
  return (
    <nav class="tabs" aria-label="Of this product">
      {tabs.map(([key, text, parts]) => <a key={key} href={href(parts)} aria-current={key === at ? 'page' : undefined}>{text}</a>)}
    </nav>
  );
}
