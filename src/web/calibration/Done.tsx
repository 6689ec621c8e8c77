/** The end: the files are made and were checked. */
import { useState, type ReactNode } from 'react';
import { wordsOf } from '../shared/api';
import type { Service } from './service';

interface Props {
  service: Service;
  /** What the service's own check of the files says; undefined while it looks. */
  validation: { valid: boolean; problems: string[] };
  onAgain: () => void;
}

export function Done({ service, validation, onAgain }: Props): ReactNode {
  const [problem, setProblem] = useState('');
  const download = async (): Promise<void> => {
    try {
      const url = URL.createObjectURL(await service.download());
      const link = Object.assign(document.createElement('a'), { href: url, download: 'calibration.zip' });
      link.click();
      setTimeout(() => { URL.revokeObjectURL(url); }, 10_000);
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  return (
    <div className="step" data-valid={validation.valid}>
      <h2>Thank you, you are done</h2>
      <p role="status">{validation.valid ? 'Your calibration is stored and its files were checked. You can close this page.' : 'Your calibration is stored, but the check of its files found something:'}</p>
      {!validation.valid && <ul className="points">{validation.problems.map((words) => <li key={words}>{words}</li>)}</ul>}
      {problem !== '' && <p className="problem" role="alert">{problem}</p>}
      <div className="actions">
        <button type="button" onClick={() => { void download(); }}>Download my files</button>
        <button type="button" onClick={onAgain}>Calibrate again</button>
      </div>
    </div>
  );
}
