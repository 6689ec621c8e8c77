/** What the link says: `/calibrate#candidate=…&token=…&interview=…&session=…&points=5`. The part behind # never reaches a server; it is removed from the address at once. */
import { setToken } from '../shared/api';
import { POINT_COUNTS, type PointCount } from './targets';

export interface Entry {
  candidate_id: string;
  interview_id: string | null;
  /** A session that was interrupted. */
  session_id: string | null;
  points: PointCount;
}

export function readEntry(): Entry {
  const given = new URLSearchParams(window.location.hash.slice(1));
  if (window.location.hash !== '') window.history.replaceState(null, '', window.location.pathname);
  const token = given.get('token') ?? undefined;
  if (token !== undefined) setToken(token);
  const wanted = Number(given.get('points'));
  return {
    candidate_id: given.get('candidate') ?? candidateOf(token),
    interview_id: given.get('interview'),
    session_id: given.get('session'),
    points: POINT_COUNTS.find((count) => count === wanted) ?? 4,
  };
}

/** A link that is opened where the page already is would change the address only, and leave its token there. */
export function followLinks(): void {
  window.addEventListener('hashchange', () => { if (window.location.hash !== '') window.location.reload(); });
}

/** Of a candidate's own token; the server checks it, here it only fills in a field. */
function candidateOf(token: string | undefined): string {
  try {
    const [, payload = ''] = (token ?? '').split('.');
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { role?: unknown; candidate_id?: unknown; sub?: unknown };
    const id = claims.candidate_id ?? claims.sub;
    return claims.role === 'candidate' && typeof id === 'string' ? id : '';
  } catch {
    return '';
  }
}
