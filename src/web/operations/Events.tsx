/** Recent events with the frame that raised each, and its clip. */
import { useRef, useState, type ReactNode } from 'react';
import { json, request, wordsOf } from '../shared/api';
import { moment, number } from './format';
import { usePicture, useVisible } from './pictures';
import { asWords, deliveryWords } from './plain';
import { usePolled } from './polling';

interface EventView {
  id: number;
  camera_id: number;
  camera_name: string;
  kind: string;
  type: string;
  severity: string;
  confidence: number;
  risk_score: number;
  context: Record<string, string>;
  indicators: string[];
  frame_timestamp: string;
  duration_seconds: number;
  delivery: string;
  frame_path: string | null;
  clip_path: string | null;
}

const EVERY_MS = 5_000;
const SHOWN = 24;
/** An event's frame never changes. */
const FRAME_EVERY_MS = 3_600_000;

export function Events(): ReactNode {
  const [severity, setSeverity] = useState('');
  const { value, problem, status } = usePolled((signal) => json<{ events: EventView[] }>(`/api/events?limit=${SHOWN}${severity === '' ? '' : `&severity=${severity}`}`, { signal }), EVERY_MS, severity);
  return (
    <section id="events" aria-labelledby="events-title">
      <div className="section-head">
        <h2 id="events-title">Recent events</h2>
        <label className="filter">Severity <select value={severity} onChange={(event) => { setSeverity(event.target.value); }}>
          <option value="">all</option>
          {['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'].map((level) => <option key={level} value={level}>{level.toLowerCase()}</option>)}
        </select></label>
      </div>
      {value === undefined && <p className="note" role="status">{status === 404 ? 'This daemon keeps no events.' : problem || 'Loading …'}</p>}
      {value?.events.length === 0 && <p className="note">No event{severity === '' ? '' : ' of this severity'} so far.</p>}
      <ul className="events">{value?.events.map((event) => <EventCard key={event.id} event={event} />)}</ul>
    </section>
  );
}

function EventCard({ event }: { event: EventView }): ReactNode {
  const element = useRef<HTMLLIElement>(null);
  const visible = useVisible(element);
  const url = usePicture(`/api/events/${event.id}/frame.jpg`, visible && event.frame_path !== null, FRAME_EVERY_MS);
  const said = Object.entries(event.context).map(([what, value]) => `${asWords(what)}: ${asWords(value)}`);
  return (
    <li ref={element} className="event">
      <div className="event-picture">{url === undefined ? <span className="no-picture">{event.frame_path === null ? 'no frame kept' : ''}</span> : <img src={url} alt={`The frame that raised it, camera ${event.camera_name}`} />}</div>
      <div className="event-words">
        <div className="tile-name"><strong>{capital(asWords(event.type))}</strong><span className={`pill ${toneOf(event.severity)}`}>{event.severity.toLowerCase()}</span></div>
        <div className="note">{event.camera_name} · <time dateTime={event.frame_timestamp}>{moment(event.frame_timestamp)}</time></div>
        <div className="note">{event.kind === 'anomaly_alert' ? `risk ${number(event.risk_score, 2)}` : `confidence ${number(event.confidence, 2)}`}{said.length === 0 ? '' : ` · ${said.join(', ')}`}</div>
        <div className="note">{deliveryWords(event.delivery)}{event.clip_path !== null && <Clip id={event.id} />}</div>
      </div>
    </li>
  );
}

function Clip({ id }: { id: number }): ReactNode {
  const [problem, setProblem] = useState('');
  const save = async (): Promise<void> => {
    try {
      const answer = await request(`/api/events/${id}/clip`, { timeout_ms: 60_000 });
      const extension = (answer.headers.get('content-type') ?? '').includes('mp4') ? 'mp4' : 'mkv';
      const url = URL.createObjectURL(await answer.blob());
      Object.assign(document.createElement('a'), { href: url, download: `event-${id}.${extension}` }).click();
      setTimeout(() => { URL.revokeObjectURL(url); }, 10_000);
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  return <> · <button type="button" className="link" onClick={() => { void save(); }} aria-label={`Save clip of event ${id}`}>Save clip</button>{problem !== '' && <span role="alert"> {problem}</span>}</>;
}

function toneOf(severity: string): string {
  if (severity === 'CRITICAL' || severity === 'HIGH') return 'bad';
  return severity === 'MEDIUM' ? 'warn' : '';
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
