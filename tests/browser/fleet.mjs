// SPDX-License-Identifier: MIT
// A small fleet in which everything has happened once: for screenshots and for looking around.

const mac = (i) => `30:AE:A4:84:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`.toUpperCase();

export async function makeFleet(daemon) {
  const d = daemon;
  await d.api('POST', '/products', { slug: 'lamp', name: 'Lamp' });
  await d.api('POST', '/products', { slug: 'plug', name: 'Plug' });
  await d.api('PATCH', '/products/lamp', { stop_window_s: 0 });
  const one = d.image('Lamp-1.0.0.ino.bin', '--chip', 'ESP32', '--version', '1.0.0', '--seed', '1', '--size', '500000');
  const two = d.image('Lamp-1.1.0.ino.bin', '--chip', 'ESP32', '--version', '1.1.0', '--seed', '2', '--size', '520000');
  const three = d.image('Lamp-2.0.0.ino.bin', '--chip', 'ESP32', '--version', '2.0.0', '--seed', '3', '--size', '640000');
  await d.publish('lamp', one, { notes: 'The first one' });
  for (let i = 0; i < 40; i++) await d.checkIn('lamp', mac(i), '0', { take: 1 });
  for (let i = 0; i < 40; i++) await d.checkIn('lamp', mac(i), '1.0.0');
  await d.publish('lamp', two, { notes: 'Fades instead of switching' });
  for (let i = 0; i < 33; i++) await d.checkIn('lamp', mac(i), '1.0.0');
  for (let i = 0; i < 33; i++) await d.checkIn('lamp', mac(i), '1.1.0');
  const last = await d.publish('lamp', three, { notes: 'New radio code' });
  for (let i = 0; i < 20; i++) await d.checkIn('lamp', mac(i), '1.1.0');
  for (let i = 0; i < 16; i++) await d.checkIn('lamp', mac(i), '2.0.0');
  for (let i = 16; i < 19; i++) await d.checkIn('lamp', mac(i), '1.1.0', { take: 0.05 }); // back on the old one
  await d.checkIn('lamp', mac(2), '1.1.0', { take: 0.05 }); // rolled back
  for (let i = 20; i < 24; i++) await d.checkIn('lamp', mac(i), '1.1.0', { take: 0.41 }); // broke off
  await d.report('lamp', mac(17), { result: 'failed', code: -100, message: 'Update.begin: not enough space', build: last.id });
  await d.api('PATCH', `/products/lamp/devices/${mac(5)}`, { note: 'Kitchen, above the stove' });
  await d.api('PATCH', `/products/lamp/devices/${mac(30)}`, { held: true, note: 'Asleep until spring' });
  await d.api('PATCH', `/products/lamp/devices/${mac(31)}`, { pin: last.id });
  d.seed('history', 'lamp', '20');
  await d.publish('plug', d.image('Plug.ino.bin', '--chip', 'ESP8266', '--version', '0.9', '--seed', '9', '--size', '400000'));
  for (let i = 60; i < 66; i++)
    await d.checkIn('plug', mac(i), '0.9', { headers: { 'User-Agent': 'ESP8266-http-Update' } });
  return { mac, broken: mac(21), failed: mac(17), rolledBack: mac(2), installed: mac(5), build: last };
}
