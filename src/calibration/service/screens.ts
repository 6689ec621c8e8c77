/** Screens: what a client measured or a person typed, completed as the reference does, stored as the text of the file. */
import { SightlineError } from '../../errors.js';
import { completeScreen, pythonTimestamp, screenInfoText } from '../screen_info.js';
import type { ScreenInfo } from '../types.js';
import { iso } from './clock.js';
import type { ServiceContext } from './context.js';
import { readScreen } from './records.js';
import type { Caller } from './tokens.js';

export interface ScreenInput {
  candidate_id: string;
  screen_width_px: number;
  screen_height_px: number;
  screen_width_mm?: number | null | undefined;
  screen_height_mm?: number | null | undefined;
  dpi?: number | null | undefined;
  diagonal_inches?: number | null | undefined;
  monitor_name?: string | null | undefined;
  camera_position?: string | null | undefined;
  distance_cm?: string | number | null | undefined;
  collection_method?: 'automatic' | 'manual' | null | undefined;
}

/** The screen with what is missing filled in as the reference does. */
export function completed(input: ScreenInput, now_ms: number): ScreenInfo {
  const { candidate_id, distance_cm, ...rest } = input;
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null && value !== undefined)) as Pick<ScreenInfo, 'screen_width_px' | 'screen_height_px'> & Partial<ScreenInfo>;
  const draft = { ...picked(known), ...(distance_cm === null || distance_cm === undefined ? {} : { distance_cm: String(distance_cm) }) };
  return completeScreen(draft, candidate_id, pythonTimestamp(now_ms * 1000));
}

/** Of what a client sends, the keys that the file has. */
function picked(input: Pick<ScreenInfo, 'screen_width_px' | 'screen_height_px'> & Partial<ScreenInfo>) {
  const { collection_method, screen_width_px, screen_height_px, screen_width_mm, screen_height_mm, camera_position, dpi, diagonal_inches, monitor_name } = input;
  const optional = { collection_method, screen_width_mm, screen_height_mm, camera_position, dpi, diagonal_inches, monitor_name };
  return { screen_width_px, screen_height_px, ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<ScreenInfo>) };
}

export function createScreens({ records, access, live, now_ms }: ServiceContext) {
  return {
    async save(caller: Caller, input: ScreenInput) {
      const { candidate_id } = input;
      await access.check(caller, 'screen_write', { candidate_id });
      const info = completed(input, now_ms());
      await records.saveScreen(candidate_id, screenInfoText(info));
      live.forgetCandidate(candidate_id);
      return { success: true, candidate_id, timestamp: iso(now_ms()), message: 'Screen information saved successfully', screen_info: info };
    },

    async get(caller: Caller, candidate_id: string): Promise<ScreenInfo> {
      await access.check(caller, 'screen_read', { candidate_id });
      const screen = await readScreen(records, candidate_id);
      if (screen === undefined) throw new SightlineError('CALIBRATION_NOT_FOUND', 'Screen information not found');
      return screen;
    },

    /** What would be stored, with what looks wrong about it; stores nothing. */
    detect(input: Omit<ScreenInput, 'candidate_id'> & { candidate_id?: string | undefined }) {
      const { candidate_id, timestamp, ...info } = completed({ ...input, candidate_id: input.candidate_id ?? '' }, now_ms());
      const warnings = warningsOf(info);
      return { ...info, ...(candidate_id === '' ? {} : { candidate_id }), detection_timestamp: timestamp, validation: { valid: warnings.length === 0, warnings } };
    },
  };
}

function warningsOf({ screen_width_px, screen_height_px, screen_width_mm, screen_height_mm }: Pick<ScreenInfo, 'screen_width_px' | 'screen_height_px' | 'screen_width_mm' | 'screen_height_mm'>): string[] {
  const warnings: string[] = [];
  const across = screen_width_px / screen_width_mm;
  const upright = screen_height_px / screen_height_mm;
  if (Math.abs(across / upright - 1) > 0.05) warnings.push('pixels are not square: width and height in millimetres do not fit the resolution');
  if (screen_width_mm < 150 || screen_width_mm > 2_000) warnings.push('a screen is rarely narrower than 150 mm or wider than 2000 mm');
  return warnings;
}
