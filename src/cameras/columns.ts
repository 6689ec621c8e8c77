/**
 * Which columns of the camera table mean what. Real tables differ (three shapes are known), so they are discovered, and can be named in
 * `registry.columns`. What is missing is left out, but for an id and a URL.
 */
import { SightlineError } from '../errors.js';

export const COLUMN_NAMES = {
  camera_id: ['camera_id', 'id'],
  camera_name: ['camera_name', 'name'],
  location: ['location', 'camera_location', 'zone', 'coverage_area'],
  outlet_id: ['outlet_id'],
  stream_url_encrypted: ['stream_url_encrypted'],
  stream_url: ['stream_url'],
  priority: ['priority', 'priority_level'],
  online: ['online', 'is_active', 'active'],
  enabled: ['cv_enabled'],
  staff_id: ['staff_id'],
  transport: ['transport'],
  analysis_fps: ['analysis_fps'],
  last_seen: ['last_seen', 'last_frame_at'],
  health_status: ['health_status', 'health_check_status'],
} as const satisfies Record<string, readonly string[]>;

export type Meaning = keyof typeof COLUMN_NAMES;
export const MEANINGS = Object.keys(COLUMN_NAMES) as Meaning[];

/** A row of information_schema.columns. */
export interface TableColumn {
  name: string;
  /** `int`, `varchar`, `enum`, ... */
  type: string;
  /** As declared: `enum('low','high')`. */
  declared: string;
}

export interface Column extends TableColumn {
  /** Words an ENUM takes, empty for other types. */
  words: string[];
}

export type Columns = Partial<Record<Meaning, Column>>;

const INTEGER = /^(tiny|small|medium|big)?int$/;

/**
 * @param named columns that the configuration names; they win
 * @throws REGISTRY_SHAPE when the table has no usable id or URL, or lacks a named column
 */
export function chooseColumns(table: string, found: readonly TableColumn[], named: Partial<Record<Meaning, string>> = {}): Columns {
  if (found.length === 0) throw new SightlineError('REGISTRY_SHAPE', `registry.table: expected a table that database.user may read, found no "${table}"`);
  const by_name = new Map(found.map((column) => [column.name.toLowerCase(), column]));
  const columns: Columns = {};
  for (const meaning of MEANINGS) {
    const wanted = named[meaning];
    const column = wanted === undefined ? pick(meaning, by_name) : by_name.get(wanted.toLowerCase());
    if (column !== undefined) columns[meaning] = { ...column, words: wordsOf(column) };
    else if (wanted !== undefined) throw new SightlineError('REGISTRY_SHAPE', `registry.columns.${meaning}: expected a column of ${table}, received "${wanted}"; it has ${namesOf(found)}`);
  }
  if (columns.camera_id === undefined) throw new SightlineError('REGISTRY_SHAPE', `${table}: expected a column camera_id or id, found ${namesOf(found)}; name it in registry.columns.camera_id`);
  if (columns.stream_url_encrypted === undefined && columns.stream_url === undefined) {
    throw new SightlineError('REGISTRY_SHAPE', `${table}: expected a column stream_url_encrypted or stream_url, found ${namesOf(found)}; name it in registry.columns`);
  }
  return columns;
}

function pick(meaning: Meaning, by_name: ReadonlyMap<string, TableColumn>): TableColumn | undefined {
  const candidates = COLUMN_NAMES[meaning].map((name) => by_name.get(name)).filter((column) => column !== undefined);
  // One shape has a text `camera_id` beside a numeric `id`; callbacks need the number.
  if (meaning === 'camera_id') return candidates.find(({ type }) => INTEGER.test(type)) ?? candidates[0];
  return candidates[0];
}

function wordsOf({ type, declared }: TableColumn): string[] {
  return type === 'enum' ? [...declared.matchAll(/'((?:[^']|'')*)'/g)].map(([, word = '']) => word.replaceAll("''", "'")) : [];
}

function namesOf(columns: readonly TableColumn[]): string {
  return columns.map(({ name }) => name).slice(0, 60).join(', ');
}

const PRIORITY_WORDS: Readonly<Record<string, number>> = { low: 3, medium: 5, high: 8, critical: 10 };

/** 1..10 from a number or from the words of the older schema; 5 where there is none. */
export function priorityOf(value: unknown): number {
  const text = plain(value).trim().toLowerCase();
  const number = PRIORITY_WORDS[text] ?? Number(text === '' ? NaN : text);
  return Number.isFinite(number) ? Math.min(10, Math.max(1, Math.round(number))) : 5;
}

/** The value as text; null and what is no plain value as the empty one. */
export function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : '';
}

/** The word of an ENUM that stands for a number 1..10, or the number. */
export function priorityValue(column: Column, priority: number): number | string {
  if (column.words.length === 0) return priority;
  const word = priority >= 10 ? 'critical' : priority >= 8 ? 'high' : priority >= 5 ? 'medium' : 'low';
  return column.words.find((one) => one.toLowerCase() === word) ?? (column.words[0] as string);
}

/** Health of a camera as the column takes it: one of its words, or free text as the PHP side writes it. */
export function healthValue(column: Column, state: string, reason: string): string {
  if (column.words.length === 0) return state === 'streaming' ? 'healthy' : state === 'stalled' ? 'stalled' : reason === '' ? 'unreachable' : `unreachable (${reason})`;
  const order = state === 'streaming' ? ['healthy'] : state === 'stalled' || state === 'connecting' ? ['degraded', 'error', 'offline'] : state === 'failed' ? ['error', 'offline'] : ['offline', 'error'];
  return order.map((word) => column.words.find((one) => one.toLowerCase() === word)).find((word) => word !== undefined) ?? (column.words[0] as string);
}
