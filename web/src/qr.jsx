// SPDX-License-Identifier: MIT
// A text as a QR code.
import qrcode from 'qrcode-generator';

export function qr(text) {
  const code = qrcode(0, 'M');
  code.addData(text);
  code.make();
  const n = code.getModuleCount();
  let path = '';
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) if (code.isDark(y, x)) path += `M${x} ${y}h1v1h-1z`;
  return <svg viewBox={`-4 -4 ${n + 8} ${n + 8}`} role="img" aria-label="The URL as a QR code"><rect x="-4" y="-4" width={n + 8} height={n + 8} fill="#fff" /><path d={path} fill="#000" shape-rendering="crispEdges" /></svg>;
}
