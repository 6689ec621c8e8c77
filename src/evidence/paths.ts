/** Names of evidence files: made of numbers and of words from fixed sets, never of what somebody typed. Relative, `/`-separated. */

/** Everything that is not a lower-case letter, a digit or `_` becomes `_`. */
export function word(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9_]+/g, '_').slice(0, 40) || 'event';
}

/** `2025-11-14/cam7/143000-123-anomaly_alert-unusual_movement-1a2b3c4d.jpg`, times in UTC. */
export function evidencePath(event: { camera_id: number; kind: string; type: string; wall_ms: number; mark: string }, extension: string): string {
  const [day = '', time = ''] = new Date(event.wall_ms).toISOString().split('T');
  const clock = time.slice(0, 12).replaceAll(':', '').replace('.', '-');
  return `${day}/cam${Math.trunc(event.camera_id)}/${clock}-${word(event.kind)}-${word(event.type)}-${word(event.mark)}.${word(extension)}`;
}

/** True for a path that `evidencePath` makes: nothing else is opened below the folder. */
export function isEvidencePath(path: string): boolean {
  return /^\d{4}-\d{2}-\d{2}\/cam\d{1,10}\/[a-z0-9_-]{1,150}\.[a-z0-9]{1,5}$/.test(path);
}
