// SPDX-License-Identifier: MIT
// A text as a QR code: how many modules wide it is, and an SVG path of the dark ones. Knows nothing of
// the page, so that it is a part that only who asks for it loads.
import qrcode from 'qrcode-generator';

export function qr(text) {
  const code = qrcode(0, 'M');
  code.addData(text);
  code.make();
  const n = code.getModuleCount();
  let path = '';
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) if (code.isDark(y, x)) path += `M${x} ${y}h1v1h-1z`;
  return { n, path };
}
