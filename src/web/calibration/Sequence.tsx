/** The fourth step: one red dot after the other on the whole screen. Frames are taken while a dot is shown, except while the eyes are still on their way. */
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { enterFullscreen, onScreen } from './fullscreen';
import { FPS_SLOW } from './pace';
import { phaseOf, SHOWN_MS, type Position } from './targets';

export interface Target {
  index: number;
  /** Share of the window. */
  at: Position;
  /** Held out: to check the fit, not to make it. */
  check: boolean;
}

export interface SequenceProps {
  targets: readonly Target[];
  /** Frames a second to take now. */
  fps: () => number;
  /** Why no frame can be taken just now (full buffer, lost camera); empty = go on. */
  blocked: () => string;
  /** Whether pictures wait because the server cannot be reached. */
  offline: boolean;
  /** Takes a frame of a target that lies there on the screen. @returns false where the camera has none yet */
  capture: (target: Target, position: Position) => Promise<boolean>;
  onDone: () => void;
  onStop: () => void;
}

/** Pictures being made into JPEGs at once. */
const CAPTURES_MAX = 3;

interface Shown {
  step: number;
  phase: 'settle' | 'record';
  share: number;
  /** Empty = it runs. */
  paused: string;
}

export function Sequence(props: SequenceProps): ReactNode {
  const { targets } = props;
  const latest = useRef(props);
  latest.current = props;
  const [shown, setShown] = useState<Shown>({ step: 0, phase: 'settle', share: 0, paused: '' });
  const paused = useRef('');
  const windowed = useRef(document.fullscreenElement === null);

  const pause = (why: string): void => {
    if (paused.current !== '') return;
    paused.current = why;
    setShown((before) => ({ ...before, paused: why }));
  };
  const resume = async (): Promise<void> => {
    windowed.current = !(await enterFullscreen());
    paused.current = '';
    setShown((before) => ({ ...before, paused: '' }));
  };

  useEffect(() => {
    const left = (): void => { if (document.fullscreenElement === null && !windowed.current) pause('The page no longer fills the screen.'); };
    const hidden = (): void => { if (document.hidden) pause('The page was out of sight.'); };
    const blurred = (): void => { pause('Another window came to the front.'); };
    const key = (event: KeyboardEvent): void => { if (event.key === 'Escape') pause('You pressed Esc.'); };
    document.addEventListener('fullscreenchange', left);
    document.addEventListener('visibilitychange', hidden);
    window.addEventListener('blur', blurred);
    window.addEventListener('keydown', key);
    return () => {
      document.removeEventListener('fullscreenchange', left);
      document.removeEventListener('visibilitychange', hidden);
      window.removeEventListener('blur', blurred);
      window.removeEventListener('keydown', key);
    };
  }, []);

  useEffect(() => {
    const run = new Run(latest, paused, pause, setShown);
    return () => { run.stop(); };
  }, []);

  const target = targets[shown.step];
  return (
    <div className={shown.paused === '' ? 'sequence' : 'sequence paused'} data-step={shown.step} data-phase={shown.paused === '' ? shown.phase : 'paused'}>
      {target !== undefined && shown.paused === '' && (
        <svg className="target" viewBox="-60 -60 120 120" width="120" height="120" aria-hidden="true" data-x={target.at.x} data-y={target.at.y} ref={(element) => {
          // Through the object model: the content security policy allows no style attribute.
          element?.style.setProperty('left', `${100 * target.at.x}%`);
          element?.style.setProperty('top', `${100 * target.at.y}%`);
        }}>
          <circle className="arriving" key={shown.step} r="46" />
          <circle className="dot" r="15" />
          <circle className="core" r="2.5" />
        </svg>
      )}
      <div className="sequence-progress">
        <p role="status" aria-live="polite">{target?.check === true ? 'Checking: ' : ''}Dot {Math.min(shown.step + 1, targets.length)} of {targets.length}{props.offline ? ' · no connection, pictures wait' : props.fps() < FPS_SLOW && ' · server busy, dots stay longer'}</p>
        <progress max={targets.length} value={shown.step + shown.share} aria-label="Progress" />
      </div>
      {shown.paused !== '' && (
        <div className="pause-card card" role="alertdialog" aria-modal="true" aria-labelledby="pause-title">
          <h2 id="pause-title">Paused</h2>
          <p>{shown.paused} Nothing is lost: it goes on with this dot.</p>
          <div className="actions">
            <button className="primary" type="button" autoFocus onClick={() => { void resume(); }}>Go on</button>
            <button type="button" onClick={() => { latest.current.onStop(); }}>Stop</button>
          </div>
        </div>
      )}
    </div>
  );
}

/** The clock of a sequence: counts the time that each target was really shown, and takes frames at the rate of the moment. */
class Run {
  #step = 0;
  #passed_ms = 0;
  #captured = 0;
  #taking = 0;
  #last_ms = 0;
  #due_ms = 0;
  #was_paused = false;
  #frame: number;

  constructor(
    private readonly props: { readonly current: SequenceProps },
    private readonly paused: { readonly current: string },
    private readonly pause: (why: string) => void,
    private readonly show: (shown: Shown) => void,
  ) {
    this.#frame = requestAnimationFrame(this.#tick);
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
  }

  readonly #tick = (now_ms: number): void => {
    const elapsed_ms = this.#last_ms === 0 ? 0 : Math.min(100, now_ms - this.#last_ms); // a stall is not time that the dot was seen
    this.#last_ms = now_ms;
    this.#frame = requestAnimationFrame(this.#tick);
    if (this.paused.current !== '') {
      this.#was_paused = true;
      return;
    }
    if (this.#was_paused) {
      this.#was_paused = false;
      this.#passed_ms = 0; // the eyes have to come back
    }
    const blocked = this.props.current.blocked();
    if (blocked !== '') {
      this.pause(blocked);
      return;
    }
    this.#advance(elapsed_ms, now_ms);
  };

  #advance(elapsed_ms: number, now_ms: number): void {
    const { targets, onDone } = this.props.current;
    const target = targets[this.#step];
    if (target === undefined) return;
    this.#passed_ms += elapsed_ms;
    const phase = phaseOf(this.#passed_ms, this.#captured, this.props.current.fps());
    if (phase === 'over') {
      this.#step++;
      this.#passed_ms = 0;
      this.#captured = 0;
      if (this.#step >= targets.length) {
        this.stop();
        onDone();
        return;
      }
    } else if (phase === 'record' && now_ms >= this.#due_ms && this.#taking < CAPTURES_MAX) this.#take(target, now_ms);
    this.show({ step: this.#step, phase: phase === 'record' ? 'record' : 'settle', share: Math.min(1, this.#passed_ms / SHOWN_MS), paused: '' });
  }

  #take(target: Target, now_ms: number): void {
    const period_ms = 1000 / this.props.current.fps();
    this.#due_ms = Math.max(this.#due_ms + period_ms, now_ms - period_ms); // steady, without catching up on a stall
    this.#taking++;
    const step = this.#step;
    this.props.current.capture(target, onScreen(target.at)).then((taken) => { if (taken && step === this.#step) this.#captured++; }, () => undefined).finally(() => { this.#taking--; });
  }
}
