/** The newest gaze calibrations, without a word about whose they are. */
import { type ReactNode } from 'react';
import { json } from '../shared/api';
import { moment, number } from './format';
import { Table } from './PipelinePlots';
import { asWords } from './plain';
import { usePolled } from './polling';

interface SessionView {
  session_id: string;
  status: string;
  created_at: string;
  completed_at: string | null;
  frames: number;
  verdict: string | null;
  accuracy_deg: number | null;
}

const EVERY_MS = 15_000;

export function Calibrations(): ReactNode {
  const { value, problem, status } = usePolled((signal) => json<{ sessions: SessionView[] }>('/api/calibration/admin/sessions', { signal }), EVERY_MS);
  const sessions = value?.sessions ?? [];
  return (
    <section id="calibrations" aria-labelledby="calibrations-title">
      <div className="section-head"><h2 id="calibrations-title">Calibrations</h2><a href="/calibrate">Calibrate on this screen</a></div>
      {value === undefined ? <p className="note" role="status">{status === 404 || status === 503 ? 'The calibration service is off, or its database is away.' : problem || 'Loading …'}</p> : sessions.length === 0 ? <p className="note">None so far.</p> : (
        <div className="card">
          <Table
            caption="Newest calibrations" head={['begun', 'state', 'pictures', 'verdict', 'accuracy', 'session']}
            rows={sessions.map(({ session_id, created_at, frames, verdict, accuracy_deg, ...session }) => [
              <time key="at" dateTime={created_at}>{moment(created_at)}</time>, <span key="state" className={`pill ${session.status === 'completed' ? 'good' : session.status === 'failed' ? 'bad' : ''}`}>{asWords(session.status)}</span>,
              number(frames), verdict ?? '–', accuracy_deg === null ? '–' : `${number(accuracy_deg, 1)}°`, session_id.slice(0, 8),
            ])}
          />
        </div>
      )}
    </section>
  );
}
