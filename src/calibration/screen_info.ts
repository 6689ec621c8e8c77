/** `..._screen_info.json`: the reference's keys in its order, its number types and its escapes. */
import { SightlineError } from '../errors.js';
import { reprFloat } from './python_float.js';
import type { ScreenInfo, ScreenSize } from './types.js';

const MM_PER_INCH = 25.4;
const DPI_WITHOUT_SIZE = 96;
const TEXT_CHARACTERS_MAX = 1024;
const PX_MAX = 100_000;
const MM_MAX = 100_000;
/** Number keys that the reference writes as floats; the other numbers are whole. */
const FLOATS: ReadonlySet<string> = new Set(['screen_width_mm', 'screen_height_mm', 'dpi', 'diagonal_inches']);
const ORDER = [
  'candidate_id', 'timestamp', 'collection_method', 'screen_width_px', 'screen_height_px', 'screen_width_mm', 'screen_height_mm', 'camera_position', 'distance_cm', 'dpi',
  'diagonal_inches', 'monitor_name',
] as const satisfies readonly (keyof ScreenInfo)[];

/** What a file, or a request, may hold: sizes in pixels, the rest as known. */
export type ScreenDraft = Pick<ScreenSize, 'screen_width_px' | 'screen_height_px'> & Partial<ScreenInfo>;

/** The text of the file: indent 2, ASCII, no newline at the end. */
export function screenInfoText(info: ScreenInfo): string {
  const lines: string[] = [];
  for (const key of ORDER) {
    const value = info[key];
    if (value === undefined) continue;
    const shown = typeof value === 'string' ? asciiText(value) : FLOATS.has(key) ? reprFloat(value) : String(value);
    lines.push(`  "${key}": ${shown}`);
  }
  return `{\n${lines.join(',\n')}\n}`;
}

/** A JSON string with everything outside of printable ASCII escaped. */
function asciiText(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Fills in what follows from the rest: millimetres from 96 dots an inch where they are missing, dpi, diagonal, and the names of the unknown. */
export function completeScreen(draft: ScreenDraft, candidate_id: string, timestamp: string): ScreenInfo {
  const width_mm = draft.screen_width_mm ?? (draft.screen_width_px * MM_PER_INCH) / (draft.dpi ?? DPI_WITHOUT_SIZE);
  const height_mm = draft.screen_height_mm ?? (draft.screen_height_px * MM_PER_INCH) / (draft.dpi ?? DPI_WITHOUT_SIZE);
  const collection_method = draft.collection_method ?? 'automatic';
  const info: ScreenInfo = {
    candidate_id: draft.candidate_id ?? candidate_id,
    timestamp: draft.timestamp ?? timestamp,
    collection_method,
    screen_width_px: draft.screen_width_px,
    screen_height_px: draft.screen_height_px,
    screen_width_mm: width_mm,
    screen_height_mm: height_mm,
    camera_position: draft.camera_position ?? 'top-center',
    distance_cm: draft.distance_cm ?? '60',
    dpi: draft.dpi ?? draft.screen_width_px / (width_mm / MM_PER_INCH),
  };
  const diagonal = draft.diagonal_inches ?? (collection_method === 'automatic' ? (width_mm ** 2 + height_mm ** 2) ** 0.5 / MM_PER_INCH : undefined);
  const monitor = draft.monitor_name ?? (collection_method === 'automatic' ? 'Unknown' : undefined);
  return { ...info, ...(diagonal === undefined ? {} : { diagonal_inches: diagonal }), ...(monitor === undefined ? {} : { monitor_name: monitor }) };
}

/**
 * Reads the JSON of a screen: at least the two sizes in pixels; unknown keys are left alone.
 * @throws CALIBRATION_SCREEN_INVALID naming the key, what was expected, and what came.
 */
export function readScreen(text: string): ScreenDraft {
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (error) {
    throw invalid(`expected JSON: ${error instanceof Error ? error.message : ''}`);
  }
  return checkScreen(value);
}

/** `readScreen` of a value that is parsed already. */
export function checkScreen(value: unknown): ScreenDraft {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`expected an object, received ${kindOf(value)}`);
  const given = value as Record<string, unknown>;
  const draft: Record<string, unknown> = {};
  for (const key of ['screen_width_px', 'screen_height_px'] as const) draft[key] = checkNumber(given[key], key, PX_MAX, true);
  for (const key of ['screen_width_mm', 'screen_height_mm', 'dpi', 'diagonal_inches'] as const) {
    if (given[key] !== undefined && given[key] !== null) draft[key] = checkNumber(given[key], key, MM_MAX, false);
  }
  for (const key of ['candidate_id', 'timestamp', 'camera_position', 'distance_cm', 'monitor_name'] as const) {
    if (given[key] !== undefined && given[key] !== null) draft[key] = checkText(given[key], key);
  }
  const method = given.collection_method;
  if (method !== undefined && method !== null) {
    if (method !== 'automatic' && method !== 'manual') throw invalid(`collection_method: expected "automatic" or "manual", received ${kindOf(method)}`);
    draft.collection_method = method;
  }
  return draft as unknown as ScreenDraft;
}

function checkNumber(value: unknown, key: string, max: number, whole: boolean): number {
  if (typeof value === 'number' && value > 0 && value <= max && (!whole || Number.isInteger(value))) return value;
  throw invalid(`${key}: expected ${whole ? 'a whole number' : 'a number'} above 0, at most ${max}, received ${typeof value === 'number' ? String(value) : kindOf(value)}`);
}

function checkText(value: unknown, key: string): string {
  if (typeof value === 'string' && value.length <= TEXT_CHARACTERS_MAX) return value;
  throw invalid(`${key}: expected a text of at most ${TEXT_CHARACTERS_MAX} characters, received ${typeof value === 'string' ? `${value.length} characters` : kindOf(value)}`);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

function invalid(message: string): SightlineError {
  return new SightlineError('CALIBRATION_SCREEN_INVALID', `screen_info: ${message}`);
}

/** Python's `datetime.isoformat()` of a time in UTC, without a zone: microseconds, left out where they are 0. */
export function pythonTimestamp(time_us: number): string {
  const seconds = Math.floor(time_us / 1e6);
  const micros = Math.round(time_us - seconds * 1e6);
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return micros === 0 ? whole : `${whole}.${String(micros).padStart(6, '0')}`;
}
