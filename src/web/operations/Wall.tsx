/** The wall: a live thumbnail of every camera with what was found drawn over it. Pictures are fetched only for what can be seen. */
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { age, number } from './format';
import { usePicture, useVisible } from './pictures';
import { reasonWords, stateWords } from './plain';
import type { CameraView, Mark } from './types';

const THUMBNAIL = 'width=320&quality=70';
/** Pictures follow the overview, so that marks and picture are of about the same moment; by themselves only where it stays away. */
const EVERY_MS = 5_000;
const LARGE_EVERY_MS = 1_000;

export function Wall({ cameras }: { cameras: readonly CameraView[] }): ReactNode {
  const [only, setOnly] = useState<'all' | 'trouble'>('all');
  const [opened, setOpened] = useState<number>();
  const trouble = cameras.filter(({ state }) => state !== 'streaming' && state !== 'disabled');
  const shown = only === 'trouble' ? trouble : cameras;
  const large = cameras.find(({ camera_id }) => camera_id === opened);
  return (
    <section id="cameras" aria-labelledby="cameras-title">
      <div className="section-head">
        <h2 id="cameras-title">Cameras</h2>
        {trouble.length > 0 || only === 'trouble' ? (
          <button className="quiet" type="button" aria-pressed={only === 'trouble'} onClick={() => { setOnly(only === 'all' ? 'trouble' : 'all'); }}>
            {only === 'all' ? `Show the ${trouble.length} with trouble` : 'Show all'}
          </button>
        ) : cameras.length > 0 && <span className="note">all well</span>}
      </div>
      {cameras.length === 0 && <p className="card">No camera yet. Add one where the daemon runs: <code>npx sightline cameras add --id 1 --name "Front desk" --url rtsp://…</code>, or by <code>POST /api/cameras</code>. It appears here by itself.</p>}
      <ul className="wall">
        {shown.map((camera) => <Tile key={camera.camera_id} camera={camera} onOpen={() => { setOpened(camera.camera_id); }} />)}
      </ul>
      {large !== undefined && <Large camera={large} onClose={() => { setOpened(undefined); }} />}
    </section>
  );
}

function Tile({ camera, onOpen }: { camera: CameraView; onOpen: () => void }): ReactNode {
  const element = useRef<HTMLLIElement>(null);
  const visible = useVisible(element);
  const live = camera.state === 'streaming' || camera.state === 'stalled';
  const url = usePicture(`/api/cameras/${camera.camera_id}/snapshot.jpg?${THUMBNAIL}`, visible && live, EVERY_MS, camera);
  return (
    <li ref={element} className={`tile ${toneOf(camera.state)}`} data-camera={camera.camera_id} data-state={camera.state}>
      <button type="button" className="tile-picture" onClick={onOpen} aria-label={`Open ${camera.camera_name} (camera ${camera.camera_id}), ${stateWords(camera.state)}`}>
        <Picture url={url} camera={camera} />
      </button>
      <div className="tile-words">
        <div className="tile-name"><strong>{camera.camera_name}</strong><span className={`pill ${toneOf(camera.state)}`}>{stateWords(camera.state)}</span></div>
        <div className="note tile-facts">
          <span>{number(camera.fps, 1)} fps</span>
          <span>{age(camera.frame_age_ms)}{camera.frame_age_ms === null ? '' : ' old'}</span>
          {camera.risk_level !== null && <span>risk {camera.risk_level.toLowerCase()}</span>}
        </div>
        {camera.state !== 'streaming' && camera.reason !== '' && <div className="note">{reasonWords(camera.reason)}</div>}
      </div>
    </li>
  );
}

function Picture({ url, camera }: { url: string | undefined; camera: CameraView }): ReactNode {
  const ratio = camera.width > 0 && camera.height > 0 ? camera.width / camera.height : 16 / 9;
  const viewed = marksIn(camera.marks);
  return (
    <span className="picture">
      {url === undefined ? <span className="no-picture">{camera.state === 'streaming' ? 'picture follows' : stateWords(camera.state)}</span> : <img src={url} alt={`Newest frame of ${camera.camera_name}: ${viewed}`} />}
      {url !== undefined && (
        <svg className="marks" viewBox={`0 0 ${ratio} 1`} preserveAspectRatio="xMidYMid meet" aria-hidden="true">
          {camera.marks.map((mark, index) => <MarkBox key={index} mark={mark} ratio={ratio} />)}
          {camera.marks.map((mark, index) => <MarkLabel key={index} mark={mark} ratio={ratio} />)}
        </svg>
      )}
    </span>
  );
}

function MarkBox({ mark: { kind, box: [x = 0, y = 0, width = 0, height = 0] }, ratio }: { mark: Mark; ratio: number }): ReactNode {
  return <g className={`mark ${kind}`}><rect x={x * ratio} y={y} width={width * ratio} height={height} rx={0.01} /></g>;
}

/** After all boxes: no line crosses a word. */
function MarkLabel({ mark: { kind, label, box: [x = 0, y = 0] }, ratio }: { mark: Mark; ratio: number }): ReactNode {
  if (label === '') return null;
  return <g className={`mark ${kind}`}><text x={x * ratio + 0.01} y={Math.max(0.055, y - 0.015)}>{label}</text></g>;
}

function Large({ camera, onClose }: { camera: CameraView; onClose: () => void }): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const url = usePicture(`/api/cameras/${camera.camera_id}/snapshot.jpg?width=960&quality=80`, camera.state === 'streaming', LARGE_EVERY_MS, camera);
  useEffect(() => { dialog.current?.showModal(); }, []);
  return (
    <dialog ref={dialog} className="large" aria-labelledby="large-title" onClose={onClose}>
      <div className="section-head">
        <h2 id="large-title">{camera.camera_name}</h2>
        <button type="button" onClick={() => { dialog.current?.close(); }}>Close</button>
      </div>
      <Picture url={url} camera={camera} />
      <dl className="facts">
        <dt>State</dt><dd>{stateWords(camera.state)}{camera.reason === '' ? '' : ` (${reasonWords(camera.reason)})`}</dd>
        <dt>Rate</dt><dd>{number(camera.fps, 1)}{camera.expected_fps === null ? '' : ` of ${number(camera.expected_fps, 1)}`} fps</dd>
        <dt>Newest frame</dt><dd>{age(camera.frame_age_ms)}{camera.frame_age_ms === null ? '' : ' old'}</dd>
        <dt>Picture</dt><dd>{camera.width > 0 ? `${camera.width} × ${camera.height}` : '–'}</dd>
        <dt>Dropped frames</dt><dd>{number(camera.drops)}</dd>
        <dt>Place</dt><dd>{camera.location ?? '–'}</dd>
        <dt>In the picture</dt><dd>{marksIn(camera.marks)}</dd>
        <dt>Risk</dt><dd>{camera.risk_level === null ? '–' : `${camera.risk_level.toLowerCase()} (${number(camera.risk_score, 2)})`}</dd>
        <dt>Baseline</dt><dd>{camera.baseline ?? '–'}</dd>
      </dl>
    </dialog>
  );
}

function marksIn(marks: readonly Mark[]): string {
  const count = (kind: Mark['kind']): number => marks.filter((mark) => mark.kind === kind).length;
  const objects = marks.filter(({ kind }) => kind === 'object').map(({ label }) => label);
  const parts = [plural(count('face'), 'face'), plural(count('person'), 'person'), ...objects.slice(0, 5)].filter((part) => part !== '');
  return parts.length === 0 ? 'nothing found' : parts.join(', ');
}

function plural(count: number, word: string): string {
  return count === 0 ? '' : `${count} ${word}${count === 1 ? '' : 's'}`;
}

function toneOf(state: string): string {
  if (state === 'streaming') return 'good';
  if (state === 'failed') return 'bad';
  return state === 'disabled' ? '' : 'warn';
}
