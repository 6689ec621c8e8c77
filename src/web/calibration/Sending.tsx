/** What is shown while the last frames are on their way and the result is being computed. */
import { type ReactNode } from 'react';
import type { SenderState } from './sender';

interface Props {
  state: SenderState;
  /** Empty while it works. */
  problem: string;
  onRetry: () => void;
  onStop: () => void;
}

export function Sending({ state, problem, onRetry, onStop }: Props): ReactNode {
  const total = state.sent + state.waiting;
  return (
    <div className="step sending">
      <h2>{problem === '' ? 'Almost done' : 'It cannot go on just now'}</h2>
      {problem === '' ? (
        <>
          <p role="status" aria-live="polite">{state.waiting > 0 ? `${state.waiting} of ${total} pictures are still on their way. Please leave this page open.` : 'Computing your result …'}</p>
          <progress max={Math.max(1, total)} value={state.sent} aria-label="Pictures sent" />
          {state.problem !== '' && <p className="note">{state.problem} Trying again by itself; nothing is lost.</p>}
        </>
      ) : (
        <>
          <p className="problem" role="alert">{problem}</p>
          <div className="actions">
            <button className="primary" type="button" autoFocus onClick={onRetry}>Try again</button>
            <button type="button" onClick={onStop}>Stop</button>
          </div>
        </>
      )}
    </div>
  );
}
