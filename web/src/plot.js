// SPDX-License-Identifier: MIT
// Stacked bars, drawn by uPlot.
import uPlot from 'uplot';

export function draw(element, { labels, series }, height, colours) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const top = series.map((_, i) => labels.map((_, d) => series.slice(0, i + 1).reduce((sum, s) => sum + s.values[d], 0)));
  const x = labels.map((_, i) => i);
  const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
  const bars = uPlot.paths.bars({ size: [0.8, 48], gap: 1 });
  const highest = Math.max(1, ...(top.at(-1) || [0]));
  return new uPlot({
    width: element.clientWidth, height, legend: { show: false }, cursor: { show: false }, padding: [8, 8, 0, 0],
    scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: [0, highest * 1.05] } },
    axes: [
      { ...axis, size: 26, grid: { show: false }, splits: () => x, values: (_, at) => at.map((i) => (labels.length <= 8 || i % Math.ceil(labels.length / 8) === 0 ? (labels[i] || '').slice(5) : '')) },
      { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000] },
    ],
    // The highest first: each bar covers the lower part of the one behind it.
    series: [{}, ...series.map((s, i) => ({ label: s.name, paths: bars, fill: colour(colours[i]), stroke: colour(colours[i]), width: 0, points: { show: false } })).reverse()],
  }, [x, ...[...top].reverse()], element);
}
