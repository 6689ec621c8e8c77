/** The third step: the camera's picture, mirrored as people know themselves, with how well the eyes can be read and what to do about it. */
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { pause, wordsOf } from '../shared/api';
import type { Camera, CameraState } from './camera';
import type { FrameAnswer, Quality, Service } from './service';
import { POINT_COUNTS, type PointCount } from './targets';

/** Between two looks at the preview: often enough to feel live, seldom enough to cost little. */
const LOOK_EVERY_MS = 500;

interface Props {
  camera: Camera;
  service: Service;
  points: PointCount;
  onPoints: (points: PointCount) => void;
  onStart: () => void;
  onBack: () => void;
}

export function CameraCheck({ camera, service, points, onPoints, onStart, onBack }: Props): ReactNode {
  const { look, problem } = useLook(camera, service);
  const select = useId();
  const start = useRef<HTMLButtonElement>(null);
  const live = camera.state === 'live';
  useEffect(() => { if (live) start.current?.focus({ preventScroll: true }); }, [live]);
  if (camera.state !== 'live' && camera.state !== 'asking') return <NoCamera state={camera.state} onAgain={camera.again} onBack={onBack} />;
  return (
    <div className="step wide">
      <h2>Your camera</h2>
      <div className="preview-row">
        <div className="preview">
          {live ? <Preview stream={camera.stream} /> : <p className="waiting" role="status">Your browser asks whether this page may use the camera. Please allow it.</p>}
        </div>
        <div className="quality">
          <p className={`guidance ${look === undefined ? '' : toneOf(look)}`} role="status" aria-live="polite">{look === undefined ? (live ? 'Looking for your face …' : 'Waiting for the camera …') : look.missing === '' ? look.quality?.guidance : look.missing}</p>
          <Bar label="Head still" value={look?.missing === '' ? look.quality?.head_stability : undefined} good={50} />
          <Bar label="Light" value={look?.quality?.lighting} good={30} />
          <Bar label="Eyes found" value={look?.quality?.detection} good={70} />
          {problem !== '' && <p className="note">{problem}</p>}
          <ul className="points">
            <li>Sit about an arm's length away, straight before the screen.</li>
            <li>Light from the front is best; glasses that mirror the screen are in the way.</li>
            <li>Look at each red dot until it moves. Move your eyes, not your head.</li>
          </ul>
        </div>
      </div>
      <div className="field short">
        <label htmlFor={select}>Points</label>
        <select id={select} value={points} onChange={(event) => { onPoints(Number(event.target.value) as PointCount); }}>
          {POINT_COUNTS.map((count) => <option key={count} value={count}>{count} points, {count * 2 + 6} seconds{count === 4 ? '' : ', more exact'}</option>)}
        </select>
      </div>
      <div className="actions">
        <button className="primary" type="button" ref={start} disabled={!live} onClick={onStart}>{look === undefined || look.missing === '' ? 'Start' : 'Start all the same'}</button>
        <button type="button" onClick={onBack}>Back</button>
        <p className="note">The page fills the screen. Esc pauses.</p>
      </div>
    </div>
  );
}

/** What the service said of the newest picture. */
interface Look {
  quality: Quality | undefined;
  /** What there is no gaze without, in words, with what to do; empty where there is one. */
  missing: string;
}

/** The plan's messages speak of a face that is there; these are said where none is. */
function missingIn(answer: FrameAnswer | undefined): string {
  if (answer === undefined || answer.success) return '';
  if (answer.error_code === 'no_face') return 'No face is found. Sit in the middle of the picture, look at the camera, and see that nothing covers it.';
  if (answer.error_code === 'no_gaze') return 'Your eyes cannot be made out. Open them, take off glasses that mirror, or come nearer.';
  return `The picture cannot be checked: ${answer.error ?? 'no reason was given'}`;
}

function useLook(camera: Camera, service: Service): { look: Look | undefined; problem: string } {
  const [look, setLook] = useState<Look>();
  const [problem, setProblem] = useState('');
  const latest = useRef(camera);
  latest.current = camera;
  const live = camera.state === 'live';
  useEffect(() => {
    if (!live) return undefined;
    const stop = new AbortController();
    const loop = async (): Promise<void> => {
      for (let frame_index = 0; ; frame_index++) {
        const image = document.hidden ? undefined : await latest.current.grab();
        if (image !== undefined) {
          try {
            const { results } = await service.look([{ frame_index, target_index: 0, target_position: { x: 0.5, y: 0.5 }, image, timestamp: new Date().toISOString() }]);
            if (stop.signal.aborted) return;
            const [seen] = results;
            setProblem('');
            setLook({ quality: seen?.quality, missing: missingIn(seen) });
          } catch (error) {
            if (stop.signal.aborted) return;
            setProblem(`The picture cannot be checked now: ${wordsOf(error)} You can start all the same.`);
          }
        }
        await pause(LOOK_EVERY_MS, stop.signal);
      }
    };
    loop().catch(() => undefined);
    return () => { stop.abort(); };
  }, [live, service]);
  return { look, problem };
}

function Preview({ stream }: { stream: MediaStream | undefined }): ReactNode {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => { if (video.current !== null) video.current.srcObject = stream ?? null; }, [stream]);
  return <video ref={video} autoPlay muted playsInline aria-label="Your camera's picture, mirrored" />;
}

function Bar({ label, value, good }: { label: string; value: number | undefined; good: number }): ReactNode {
  const id = useId();
  return (
    <div className="bar-row">
      <span id={id}>{label}</span>
      <meter aria-labelledby={id} min={0} max={100} low={good} high={good} optimum={100} value={value ?? 0} />
      <span className="bar-value">{value === undefined ? '–' : Math.round(value)}</span>
    </div>
  );
}

function toneOf({ quality, missing }: Look): string {
  if (quality === undefined || missing !== '') return 'warn';
  const { head_stability, lighting, detection } = quality;
  return head_stability >= 50 && lighting >= 30 && detection >= 70 ? 'good' : 'warn';
}

const NO_CAMERA: Record<Exclude<CameraState, 'asking' | 'live'>, readonly [title: string, ways: readonly string[]]> = {
  denied: ['The camera is not allowed', ['Open the lock or camera sign beside the address, allow the camera, and try again.', 'On macOS and Windows the system has a switch of its own under "Privacy", "Camera".', 'If your organisation forbids it, use another computer or tell your interviewer.']],
  absent: ['No camera was found', ['Connect a camera, wait a moment, and try again.', 'A laptop with a closed lid or a covered camera counts as having none.']],
  busy: ['The camera is in use', ['Close other programs that show your picture, such as video calls, and try again.']],
  lost: ['The camera went away', ['Connect it again and try once more. What was recorded is kept.']],
  unsupported: ['This browser offers no camera', ['Open the page over https, or on the computer itself over localhost: other pages get no camera.', 'Use a current Chrome, Edge, Firefox or Safari.']],
};

export function NoCamera({ state, onAgain, onBack }: { state: Exclude<CameraState, 'asking' | 'live'>; onAgain: () => void; onBack: () => void }): ReactNode {
  const [title, ways] = NO_CAMERA[state];
  return (
    <div className="step" role="alert">
      <h2>{title}</h2>
      <ul className="points">{ways.map((way) => <li key={way}>{way}</li>)}</ul>
      <div className="actions">
        <button className="primary" type="button" autoFocus onClick={onAgain}>Try again</button>
        <button type="button" onClick={onBack}>Back</button>
      </div>
    </div>
  );
}
