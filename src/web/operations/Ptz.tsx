/** PTZ checks: of each device the newest status, and yaw and pitch over time with their 95 % intervals. */
import { type ReactNode } from 'react';
import { json } from '../shared/api';
import { moment, number } from './format';
import { IntervalPlot } from './IntervalPlot';
import { asWords } from './plain';
import { usePolled } from './polling';
import { byDevice, readResults, type PtzResult } from './ptz_results';

const EVERY_MS = 30_000;
const ASKED = 500;

export function Ptz(): ReactNode {
  const { value, problem, status } = usePolled(async (signal) => readResults(await json<unknown>(`/api/ptz/results?limit=${ASKED}`, { signal })), EVERY_MS);
  const devices = byDevice(value ?? []);
  return (
    <section id="ptz" aria-labelledby="ptz-title">
      <div className="section-head"><h2 id="ptz-title">PTZ cameras</h2><span className="note">what each says of where it looks, minus where it really looks; bars: 95 % interval</span></div>
      {value === undefined && <p className="note" role="status">{status === 404 ? 'This daemon checks no PTZ cameras.' : problem || 'Loading …'}</p>}
      {value !== undefined && devices.length === 0 && <p className="note">No check has been made yet. <code>npx sightline ptz --help</code> says how to begin.</p>}
      <div className="plots">{devices.map(([device, results]) => <Device key={device} device={device} results={results} />)}</div>
    </section>
  );
}

/** `results`: oldest first, at least one. */
function Device({ device, results }: { device: string; results: readonly PtzResult[] }): ReactNode {
  const newest = results.at(-1);
  if (newest === undefined) return null;
  return (
    <article className="card device">
      <div className="tile-name"><h3>{device}</h3><span className={`pill ${toneOf(newest.status)}`}>{asWords(newest.status)}</span></div>
      <p className="note">
        {moment(newest.at)}
        {newest.yaw === null ? '' : ` · yaw ${signed(newest.yaw)}${interval(newest.yaw_ci)}`}
        {newest.pitch === null ? '' : ` · pitch ${signed(newest.pitch)}${interval(newest.pitch_ci)}`}
        {newest.reason === '' || newest.reason === 'none' ? '' : ` · ${asWords(newest.reason)}`}
      </p>
      <IntervalPlot title={`${device}: yaw`} label="yaw" points={results.map(({ at, yaw, yaw_ci }) => ({ at_ms: Date.parse(at), value: yaw, half: yaw_ci }))} />
      <IntervalPlot title={`${device}: pitch`} label="pitch" points={results.map(({ at, pitch, pitch_ci }) => ({ at_ms: Date.parse(at), value: pitch, half: pitch_ci }))} />
    </article>
  );
}

function interval(half: number | null): string {
  return half === null ? '' : ` ± ${number(half, 4)}°`;
}

function signed(deg: number): string {
  return `${deg > 0 ? '+' : ''}${number(deg, 4)}°`;
}

function toneOf(status: string): string {
  if (status === 'ok') return 'good';
  return status === 'drift' || status === 'failed' ? 'bad' : 'warn';
}
