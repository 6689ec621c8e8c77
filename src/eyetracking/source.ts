/** How a source is named: by `eye_tracking.source` of the configuration, and by the member `source` of a start_tracking message. */
import { SightlineError } from '../errors.js';
import type { EyeSource } from './types.js';

const FORMS = '"webcam", "webcam:N" or N (0 to 9), "camera:ID", or the name of a camera';
export const WEBCAMS_TRIED = [0, 1, 2];

/**
 * @param names camera ids by name, where names may be used
 * @throws SightlineError EYE_SOURCE
 */
export function parseSource(given: unknown, names: () => ReadonlyMap<string, number> = () => new Map()): EyeSource {
  if (typeof given === 'number' && Number.isInteger(given) && given >= 0 && given <= 9) return { kind: 'webcam', index: given };
  if (typeof given !== 'string') throw invalid(typeof given === 'number' ? String(given) : `a ${given === null ? 'null' : typeof given}`);
  const [, kind, digits] = /^(webcam|camera)(?::(\d{1,10}))?$/.exec(given) ?? [];
  if (kind === 'webcam') {
    if (digits === undefined) return { kind: 'any_webcam' };
    if (digits.length === 1) return { kind: 'webcam', index: Number(digits) };
  }
  if (kind === 'camera' && digits !== undefined) return { kind: 'camera', camera_id: Number(digits) };
  const camera_id = names().get(given);
  if (camera_id !== undefined) return { kind: 'camera', camera_id };
  throw invalid(given.length > 60 ? `${given.slice(0, 60)}…` : given);
}

function invalid(received: string): SightlineError {
  return new SightlineError('EYE_SOURCE', `source: expected ${FORMS}, received ${received}`);
}

/** Equal for equal sources; also what people are shown. */
export function sourceKey(source: EyeSource): string {
  switch (source.kind) {
    case 'any_webcam': return 'webcam';
    case 'webcam': return `webcam:${source.index}`;
    case 'camera': return `camera:${source.camera_id}`;
  }
}
