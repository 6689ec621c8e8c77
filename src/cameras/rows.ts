/** From a row of the camera table to a camera, with its URL decrypted in memory. Pure but for the randomness of encryption. */
import type { ErrorCode } from '../errors.js';
import { plain, priorityOf, type Columns, type Meaning } from './columns.js';
import type { Row } from './database.js';
import { FAILURE_TEXT, isEnvelope, openEnvelope, possibleAads } from './envelope.js';
import { parseStreamUrl } from './stream_url.js';
import type { CameraRecord, Transport } from './types.js';

/** Settings of a camera that its table has no column for, kept in the embedded database. */
export interface Overlay {
  camera_id: number;
  transport: Transport | null;
  staff_id: number | null;
  analysis_fps: number | null;
  enabled: 0 | 1 | null;
}

export interface RegistryProblem {
  /** As the table has it; may be no number at all. */
  camera_id: string;
  code: ErrorCode;
  /** What was expected; no part of a URL. */
  message: string;
}

export interface ReadRows {
  cameras: CameraRecord[];
  problems: RegistryProblem[];
}

export interface ReadContext {
  key: Buffer | undefined;
  overlays: ReadonlyMap<number, Overlay>;
  /** ISO 8601, UTC: stands for times that the table does not tell with a zone. */
  at: string;
}

const ID_MAX = 2_147_483_647;

/** Every row becomes a camera, also one whose URL can't be read: it is shown as failed. Only a row without a usable id is left out. */
export function camerasOf(rows: readonly Row[], columns: Columns, context: ReadContext): ReadRows {
  const cameras = new Map<number, CameraRecord>();
  const problems: RegistryProblem[] = [];
  for (const row of rows) {
    const value = (meaning: Meaning): unknown => (columns[meaning] === undefined ? null : (row[meaning] ?? null));
    const camera_id = idOf(value('camera_id'));
    if (camera_id === null || cameras.has(camera_id)) {
      const expected = camera_id === null ? `expected an integer from 1 to ${ID_MAX}` : 'expected an id that no other row has';
      problems.push({ camera_id: plain(value('camera_id')).slice(0, 100), code: 'CAMERA_INVALID', message: `camera_id: ${expected}` });
      continue;
    }
    const found = urlOf(value, context.key);
    if ('code' in found) problems.push({ camera_id: String(camera_id), ...found });
    cameras.set(camera_id, record(value, camera_id, found, context));
  }
  return { cameras: [...cameras.values()], problems };
}

type Found = { url: string } | { code: ErrorCode; message: string };

function record(value: (meaning: Meaning) => unknown, camera_id: number, found: Found, { overlays, at }: ReadContext): CameraRecord {
  const overlay = overlays.get(camera_id);
  const transport = plain(value('transport')).toLowerCase();
  const fps = Number(plain(value('analysis_fps')) || NaN);
  const enabled = overlay?.enabled ?? (value('enabled') === null ? 1 : isTrue(value('enabled')) ? 1 : 0);
  return {
    camera_id,
    camera_name: textOf(value('camera_name')) ?? `camera ${camera_id}`,
    url: 'url' in found ? found.url : '',
    transport: overlay?.transport ?? (transport === 'tcp' || transport === 'udp' ? transport : null),
    priority: priorityOf(value('priority')),
    location: textOf(value('location')),
    outlet_id: idOf(value('outlet_id')),
    staff_id: overlay?.staff_id ?? idOf(value('staff_id')),
    analysis_fps: overlay?.analysis_fps ?? (fps >= 0.1 && fps <= 60 ? fps : null),
    enabled: enabled === 1,
    created_at: at,
    updated_at: at,
    ...('code' in found ? { fault: found.code } : {}),
  };
}

function urlOf(value: (meaning: Meaning) => unknown, key: Buffer | undefined): Found {
  const texts = [value('stream_url_encrypted'), value('stream_url')].map((one) => plain(one).trim()).filter((text) => text !== '');
  const [text] = texts.filter((one) => one !== FAILURE_TEXT);
  if (text === undefined) {
    return texts.length > 0
      ? { code: 'CAMERA_URL_LOST', message: 'url: expected a URL, received the text that the PHP page writes back when it could not decrypt one; set the URL anew' }
      : { code: 'CAMERA_URL_MISSING', message: 'url: expected a URL, received none' };
  }
  let url = text;
  if (isEnvelope(text)) {
    if (key === undefined) return { code: 'CAMERA_URL_UNREADABLE', message: 'url: expected database.encryption_key (FRAUD_ENCRYPTION_KEY), since the URL is encrypted' };
    const opened = openEnvelope(text, key, possibleAads({ camera_id: plain(value('camera_id')), outlet_id: value('outlet_id') === null ? null : plain(value('outlet_id')) }));
    if (opened === undefined) return { code: 'CAMERA_URL_UNREADABLE', message: 'url: expected a text that the key opens with the ids of this row; another key, a changed outlet_id, or damage' };
    if (opened === FAILURE_TEXT) return { code: 'CAMERA_URL_LOST', message: 'url: expected a URL, received the text that the PHP page writes back when it could not decrypt one; set the URL anew' };
    url = opened;
  }
  try {
    parseStreamUrl(url);
    return { url };
  } catch (error) {
    return { code: 'CAMERA_INVALID', message: error instanceof Error ? error.message : 'url: not a stream URL' };
  }
}

function idOf(value: unknown): number | null {
  const text = plain(value).trim();
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return number >= 1 && number <= ID_MAX ? number : null;
}

function isTrue(value: unknown): boolean {
  return /^(1|true|yes|on|active)$/i.test(plain(value).trim());
}

function textOf(value: unknown): string | null {
  const text = plain(value).replace(/[\u0000-\u001f\u007f]/g, ' ').trim().slice(0, 255);
  return text === '' ? null : text;
}
