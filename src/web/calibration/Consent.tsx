/** The first step: what happens here, and whether the person agrees. */
import { useId, useState, type FormEvent, type ReactNode } from 'react';

interface Props {
  candidate_id: string;
  /** The id came with the link or the token and can't be changed. */
  fixed: boolean;
  problem: string;
  busy: boolean;
  onAgree: (candidate_id: string) => void;
}

export function Consent({ candidate_id, fixed, problem, busy, onAgree }: Props): ReactNode {
  const [id, setId] = useState(candidate_id);
  const [agreed, setAgreed] = useState(false);
  const [asked, setAsked] = useState(false);
  const field = useId();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setAsked(true);
    if (agreed && numberProblem(id.trim()) === '') onAgree(id.trim());
  };
  return (
    <form className="step" onSubmit={submit} noValidate>
      <h2>Before you begin</h2>
      <p>You will look at a few red dots on your screen, one after the other, while your camera watches your eyes. It takes less than a minute, and it lets a recording tell where on this screen you look.</p>
      <ul className="points">
        <li><strong>What is used:</strong> pictures of your face from your camera, only while a dot is shown and during the check of your camera.</li>
        <li><strong>What is kept:</strong> where your eyes and head are in each picture, and the size of your screen. The pictures themselves are not kept.</li>
        <li><strong>Your rights:</strong> you may stop at any time, ask for your data, and have it deleted. It is deleted by itself after the period your interviewer names.</li>
        <li><strong>This browser</strong> stores nothing of it.</li>
      </ul>
      <div className="field">
        <label htmlFor={field}>Your candidate number</label>
        <input id={field} value={id} readOnly={fixed} required maxLength={255} autoComplete="off" spellCheck={false} aria-invalid={asked && numberProblem(id.trim()) !== ''} onChange={(event) => { setId(event.target.value); }} />
        {asked && numberProblem(id.trim()) !== '' && <p className="problem" role="alert">{numberProblem(id.trim())}</p>}
      </div>
      <label className="check">
        <input type="checkbox" checked={agreed} onChange={(event) => { setAgreed(event.target.checked); }} />
        <span>I agree that my camera pictures are processed as described, including biometric data of my eyes and face.</span>
      </label>
      {asked && !agreed && <p className="problem" role="alert">Without your consent nothing can be recorded. You may also close this page now.</p>}
      {problem !== '' && <p className="problem" role="alert">{problem}</p>}
      <div className="actions"><button className="primary" type="submit" disabled={busy}>{busy ? 'One moment …' : 'Continue'}</button></div>
    </form>
  );
}

/** In words what the service would refuse with its field's name; empty = nothing. */
function numberProblem(id: string): string {
  if (id === '') return 'Please enter the number from your invitation.';
  return /[/\\]/.test(id) || id === '.' || id === '..' ? 'A candidate number has no slashes. Please enter it as it stands in your invitation.' : '';
}
