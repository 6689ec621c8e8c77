/** A plot over time. Beside the canvas stands what it shows, in words. */
import { useEffect, useRef, type ReactNode } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { number } from './format';

interface Series {
  label: string;
  values: (number | null)[];
}

const HEIGHT_PX = 190;
/** Told apart on both backgrounds, and by people who don't see red and green apart. */
const COLOURS = ['#2f7fc4', '#d9822b', '#3a9e8f', '#a05cb5', '#8a8f2e', '#c94f6d', '#6b7a8c', '#7a5c3e'];

export default function Plot({ title, unit, at_s, series }: { title: string; unit: string; at_s: number[]; series: Series[] }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(null);
  /** Counts have no tenths. */
  const digits = unit === '%' || series.every(({ values }) => values.every((value) => value === null || Number.isInteger(value))) ? 0 : 1;
  const labels = series.map(({ label }) => label).join('\n');

  useEffect(() => {
    const { current: element } = place;
    if (element === null) return undefined;
    const build = (): void => {
      plot.current?.destroy();
      plot.current = new UPlot(optionsOf(element, labels === '' ? [] : labels.split('\n')), [[]], element);
    };
    build();
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    observer.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', build);
    return () => {
      observer.disconnect();
      scheme.removeEventListener('change', build);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [labels]);
  useEffect(() => { plot.current?.setData([at_s, ...series.map(({ values }) => values)] as UPlot.AlignedData); }, [at_s, series]);

  return (
    <figure className="card plot">
      <figcaption><h3>{title} <span className="note">{unit}</span></h3></figcaption>
      <div ref={place} role="img" aria-label={`${title}: ${series.map(({ label, values }) => `${label} now ${number(values.at(-1), 1)} ${unit}`).join(', ')}`} />
      <ul className="legend">
        {series.map(({ label, values }, index) => (
          <li key={label}><svg width="12" height="12" aria-hidden="true"><rect y="4" width="12" height="4" rx="2" fill={COLOURS[index % COLOURS.length]} /></svg>{label} <strong>{number(values.at(-1), digits)}</strong></li>
        ))}
      </ul>
    </figure>
  );
}

function optionsOf(element: HTMLElement, labels: string[]): UPlot.Options {
  const style = getComputedStyle(element);
  const axis = { stroke: style.getPropertyValue('--soft'), grid: { stroke: style.getPropertyValue('--line'), width: 1 }, ticks: { stroke: style.getPropertyValue('--line'), width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_plot, _min, max) => [0, max === null || max <= 0 ? 1 : max * 1.1] } },
    axes: [{ ...axis, space: 70, values: (_plot, splits, _axis, _space, step_s) => splits.map((at_s) => clock(at_s, step_s)) }, { ...axis, size: 58 }],
    series: [{}, ...labels.map((label, index) => ({ label, stroke: COLOURS[index % COLOURS.length] ?? '', width: 2, points: { show: false }, spanGaps: true }))],
  };
}

/** Time of day on the axis, short enough for a phone: uPlot's own labels bring the date, in one country's order. */
function clock(at_s: number, step_s: number): string {
  return new Date(at_s * 1000).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', ...(step_s < 60 ? { second: '2-digit' } : {}), hourCycle: 'h23' });
}
