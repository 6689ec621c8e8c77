/** The fifth step: how well it went, in degrees and pixels, with a picture; and what to do with it. */
import { type ReactNode } from 'react';
import { gradeOf, meanOf, type PointOutcome } from './outcome';
import type { Report } from './service';
import { nameOf } from './targets';

interface Props {
  /** Those that the fit was made of. */
  points: readonly PointOutcome[];
  /** Held out. */
  checks: readonly PointOutcome[];
  report: Report | null;
  /** Why there is no fit; empty = there is one. */
  fit_problem: string;
  /** width / height of the screen. */
  ratio: number;
  busy: string;
  problem: string;
  onRedo: (target: number) => void;
  onAccept: () => void;
  onAgain: () => void;
}

const GRADES = {
  good: ['Good', 'Your gaze is found well. You can accept this calibration.'],
  fair: ['Usable', 'Your gaze is found roughly. Repeating the points with the largest errors may make it better.'],
  poor: ['Not good enough', 'Your gaze is found badly. More light from the front, a still head and a clean camera help most; then try again.'],
  unknown: ['Unknown', 'The result could not be checked with further points.'],
} as const;

export function Outcome({ points, checks, report, fit_problem, ratio, busy, problem, onRedo, onAccept, onAgain }: Props): ReactNode {
  const check_deg = meanOf(checks, 'error_deg');
  const check_px = meanOf(checks, 'error_px');
  // The checks lie near the middle: a fit that draws every gaze there passes them. What the service refuses is never called usable.
  const grade = fit_problem !== '' || report?.verdict === 'refuse' ? 'poor' : gradeOf(check_deg ?? report?.held_out.accuracy_deg ?? null);
  const [title, advice] = GRADES[grade];
  return (
    <div className="step wide">
      <h2>Your result</h2>
      <div className={`verdict ${grade}`} role="status">
        <strong>{title}</strong>
        {check_deg !== null && <span> · {check_deg.toFixed(1)}° or {Math.round(check_px ?? 0)} pixels off on average, at points that were not used for the calibration</span>}
        <p>{fit_problem === '' ? advice : `No calibration could be made of it: ${fit_problem}`}</p>
      </div>
      <div className="result-row">
        <Picture points={points} checks={checks} ratio={ratio} suspects={report !== null && report.repeat_targets.length > 0} />
        <div className="table" tabIndex={0} role="region" aria-label="Errors by point">
          <table>
            <thead><tr><th scope="col">point</th><th scope="col">off by</th><th scope="col">spread</th><th scope="col"><span className="visually-hidden">again</span></th></tr></thead>
            <tbody>
              {points.map((point, index) => (
                <tr key={index} className={report?.repeat_targets.includes(index) === true ? 'suspect' : ''}>
                  <th scope="row">{nameOf(point.target)}{report?.repeat_targets.includes(index) === true && <span className="visually-hidden">, worth repeating</span>}</th>
                  <td>{errorOf(point)}</td>
                  <td>{point.spread_deg === null ? '–' : `${point.spread_deg.toFixed(1)}°`}</td>
                  <td><button type="button" disabled={busy !== ''} onClick={() => { onRedo(index); }} aria-label={`Repeat ${nameOf(point.target)}`}>Repeat</button></td>
                </tr>
              ))}
              {checks.map((point, index) => (
                <tr key={`check${index}`} className="check-row">
                  <th scope="row">check {index + 1}</th>
                  <td>{errorOf(point)}</td>
                  <td>{point.spread_deg === null ? '–' : `${point.spread_deg.toFixed(1)}°`}</td>
                  <td />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
      {report !== null && report.reasons.length > 0 && (
        <details><summary>What the fit says</summary><ul className="points">{report.reasons.slice(0, 8).map(({ code, target, message }) => <li key={`${code}${target}`}>{message}</li>)}</ul></details>
      )}
      {problem !== '' && <p className="problem" role="alert">{problem}</p>}
      <div className="actions">
        <button className={grade === 'poor' ? '' : 'primary'} type="button" disabled={busy !== '' || fit_problem !== ''} onClick={onAccept}>{busy === '' ? 'Accept' : busy}</button>
        <button className={grade === 'poor' ? 'primary' : ''} type="button" disabled={busy !== ''} onClick={onAgain}>Try again</button>
      </div>
    </div>
  );
}

/** The degrees and the pixels stay whole where there is room for one of them only. */
function errorOf({ error_deg, error_px }: PointOutcome): ReactNode {
  return error_deg === null ? 'no pictures' : <><span className="figure">{error_deg.toFixed(1)}°</span> <span className="figure">{Math.round(error_px ?? 0)} px</span></>;
}

/** Gazes beyond the picture by more than this share are drawn at its rim. */
const RIM = 0.12;

function Picture({ points, checks, ratio, suspects }: { points: readonly PointOutcome[]; checks: readonly PointOutcome[]; ratio: number; suspects: boolean }): ReactNode {
  // The longer side counts 100, so that marks have the same size on a phone held upright.
  const [width, height] = ratio >= 1 ? [100, 100 / ratio] : [100 * ratio, 100];
  const x = (share: number): number => width * Math.max(-RIM, Math.min(1 + RIM, share));
  const y = (share: number): number => height * Math.max(-RIM, Math.min(1 + RIM, share));
  const group = (outcomes: readonly PointOutcome[], kind: string): ReactNode =>
    outcomes.map(({ target, gazes, median }, index) => (
      <g key={`${kind}${index}`} className={kind}>
        {gazes.map((gaze, at) => <circle key={at} className="gaze" cx={x(gaze.x)} cy={y(gaze.y)} r="0.55" />)}
        {median !== null && <path className="off" d={`M ${x(target.x)} ${y(target.y)} L ${x(median.x)} ${y(median.y)}`} />}
        {kind === 'point' ? <circle className="aim" cx={x(target.x)} cy={y(target.y)} r="1.7" /> : <rect className="aim" x={x(target.x) - 1.4} y={y(target.y) - 1.4} width="2.8" height="2.8" transform={`rotate(45 ${x(target.x)} ${y(target.y)})`} />}
        {median !== null && <path className="middle" d={`M ${x(median.x) - 1.3} ${y(median.y)} h 2.6 M ${x(median.x)} ${y(median.y) - 1.3} v 2.6`} />}
      </g>
    ));
  return (
    <figure className="result-picture">
      <svg viewBox={`${-width * RIM} ${-height * RIM} ${width * (1 + 2 * RIM)} ${height * (1 + 2 * RIM)}`} role="img" aria-label="The screen with its points and where your gaze was found; the table beside it has the numbers">
        <rect className="screen" x="0" y="0" width={width} height={height} rx="1" />
        {group(points, 'point')}
        {group(checks, 'held')}
      </svg>
      <figcaption className="note">Circles: the dots. Diamonds: the checks. Crosses: where your gaze was found; small dots are single pictures.{suspects && ' Red names are worth repeating.'}</figcaption>
    </figure>
  );
}
