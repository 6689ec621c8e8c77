/** Values over time with their intervals, as a picture that scales; checks without a value are marked at the bottom. */
import { type ReactNode } from 'react';
import { moment, number } from './format';

export interface IntervalPoint {
  at_ms: number;
  value: number | null;
  /** Half the width of the interval; null = not known. */
  half: number | null;
}

const WIDTH = 360;
const HEIGHT = 122;
const LEFT = 58;
const RIGHT = 8;
const TOP = 20;
const BOTTOM = 20;

export function IntervalPlot({ title, label, points }: { title: string; label: string; points: readonly IntervalPoint[] }): ReactNode {
  const valued = points.filter((point): point is IntervalPoint & { value: number } => point.value !== null);
  const reach = Math.max(1e-4, ...valued.map(({ value, half }) => Math.abs(value) + (half ?? 0))) * 1.1;
  const from = points[0]?.at_ms ?? 0;
  const span = Math.max(1, (points.at(-1)?.at_ms ?? 0) - from);
  const x = (at_ms: number): number => LEFT + (points.length < 2 ? 0.5 : (at_ms - from) / span) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => TOP + ((reach - value) / (2 * reach)) * (HEIGHT - TOP - BOTTOM);
  const newest = valued.at(-1);
  return (
    <svg className="interval-plot" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}, ${points.length} checks, newest ${newest === undefined ? 'without a value' : `${number(newest.value, 4)}° ± ${number(newest.half, 4)}°`}`}>
      {[reach / 1.1, 0, -reach / 1.1].map((value) => (
        <g key={value}>
          <line className="grid" x1={LEFT} x2={WIDTH - RIGHT} y1={y(value)} y2={y(value)} />
          <text x={LEFT - 6} y={y(value) + 3.5} textAnchor="end">{number(value, reach < 0.01 ? 4 : 3)}°</text>
        </g>
      ))}
      <text x={LEFT} y={10} className="name">{label}</text>
      <text x={LEFT} y={HEIGHT - 5}>{moment(new Date(from).toISOString())}</text>
      {points.length > 1 && <text x={WIDTH - RIGHT} y={HEIGHT - 5} textAnchor="end">{moment(new Date(from + span).toISOString())}</text>}
      {points.map(({ at_ms, value, half }, index) =>
        value === null ? (
          <path key={index} className="missing" d={`M ${x(at_ms) - 3} ${HEIGHT - BOTTOM - 6} l 6 6 m -6 0 l 6 -6`} />
        ) : (
          <g key={index} className="valued">
            {half !== null && <path className="whisker" d={`M ${x(at_ms)} ${y(value - half)} V ${y(value + half)} M ${x(at_ms) - 3} ${y(value - half)} h 6 M ${x(at_ms) - 3} ${y(value + half)} h 6`} />}
            <circle cx={x(at_ms)} cy={y(value)} r="2.6" />
          </g>
        ))}
    </svg>
  );
}
