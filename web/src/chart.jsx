// SPDX-License-Identifier: MIT
// Who ran what, day by day: stacked bars, and the same numbers as a table for whoever can't see them.
import { useEffect, useRef } from 'preact/hooks';
import { count } from './words.js';

const SHOWN = 6; // versions with a colour of their own
const DAYS = 30;

// Days and, for each version, how many devices ran it. Today's bar is what runs now.
export function adoption(stats) {
  const days = new Map();
  for (const row of stats.over_time.versions) {
    const day = row.at.slice(0, 10);
    if (!days.has(day)) days.set(day, new Map());
    days.get(day).set(row.version, row.devices);
  }
  const today = new Map(stats.versions.map((v) => [v.version, v.devices]));
  if (stats.other_versions > 0) today.set('\0other', stats.other_versions);
  days.set(stats.at.slice(0, 10), today);
  const labels = [...days.keys()].sort().slice(-DAYS);
  const sums = new Map();
  for (const day of labels) for (const [version, n] of days.get(day)) sums.set(version, (sums.get(version) || 0) + n);
  sums.delete('\0other');
  const order = [...sums.entries()].sort((a, b) => b[1] - a[1]).map(([version]) => version);
  // The oldest lies at the bottom: the one that was there first.
  const first = (version) => labels.findIndex((day) => days.get(day).get(version) > 0);
  const named = order.slice(0, SHOWN).sort((a, b) => first(a) - first(b));
  const series = named.map((version) => ({
    name: version || 'not said', values: labels.map((day) => days.get(day).get(version) || 0),
  }));
  const rest = labels.map((day) => [...days.get(day)].filter(([v]) => !named.includes(v)).reduce((sum, [, n]) => sum + n, 0));
  if (rest.some((n) => n > 0)) series.push({ name: 'others', values: rest });
  return { labels, series };
}

const COLOURS = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7'];

export function Adoption({ stats, height = 180 }) {
  const box = useRef(null);
  const data = adoption(stats);
  const key = JSON.stringify(data);
  useEffect(() => {
    const element = box.current; // the ref is empty by the time a late observer speaks
    let plot = null, draw = null, gone = false;
    const again = () => {
      if (!draw || gone) return;
      plot?.destroy();
      plot = draw(element, data, height, COLOURS);
    };
    // In a part of its own: what the chart says is there in words before it is drawn.
    import('./plot.js').then((part) => {
      draw = part.draw;
      again();
    });
    const dark = matchMedia('(prefers-color-scheme: dark)');
    let width = element.clientWidth;
    const sizes = new ResizeObserver(() => {
      if (Math.abs(element.clientWidth - width) < 2) return;
      width = element.clientWidth;
      again();
    });
    sizes.observe(element);
    dark.addEventListener('change', again);
    return () => {
      sizes.disconnect();
      dark.removeEventListener('change', again);
      gone = true;
      plot?.destroy();
    };
  }, [key, height]);
  const last = data.labels.length - 1;
  const words = data.series.filter((s) => s.values[last] > 0).map((s) => `${s.name}: ${count(s.values[last], 'device')}`).join(', ');
  return (
    <figure class="chart">
      <div ref={box} class="plot" style={{ height: height + 'px' }} role="img" aria-label={`Versions over the last ${count(data.labels.length, 'day')}. Now ${words || 'no devices'}.`} />
      <figcaption>
        <ul class="legend">
          {data.series.map((s, i) => (
            <li key={s.name}><span class="swatch" style={{ background: `var(${COLOURS[i]})` }} aria-hidden="true" />{s.name} <span class="soft">{s.values[last].toLocaleString('en')}</span></li>
          ))}
        </ul>
        <details>
          <summary>As a table</summary>
          <div class="scroll"><table>
            <thead><tr><th scope="col">Day</th>{data.series.map((s) => <th scope="col" key={s.name} class="num">{s.name}</th>)}</tr></thead>
            <tbody>{data.labels.map((day, d) => <tr key={day}><th scope="row">{day}</th>{data.series.map((s) => <td key={s.name} class="num">{s.values[d].toLocaleString('en')}</td>)}</tr>)}</tbody>
          </table></div>
        </details>
      </figcaption>
    </figure>
  );
}
