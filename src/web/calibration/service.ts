/** The calibration service, as this page asks it. */
import { ApiError, json, request } from '../shared/api';
import type { Position } from './targets';

export interface Quality {
  head_stability: number;
  lighting: number;
  detection: number;
  guidance: string;
}

export interface Frame {
  frame_index: number;
  target_index: number;
  target_position: Position;
  /** JPEG. */
  image: Blob;
  /** ISO 8601, of the capture. */
  timestamp: string;
}

export interface FrameAnswer {
  success: boolean;
  frame_index: number;
  error?: string;
  error_code?: string;
  quality?: Quality;
  guidance?: string;
  /** Only of frames that were looked at and not kept: where the session's fit puts the gaze. */
  on_screen_mm?: [number, number] | null;
}

export interface Seen {
  results: FrameAnswer[];
  recommended_fps: number;
}

export interface ScreenBody {
  screen_width_px: number;
  screen_height_px: number;
  screen_width_mm: number;
  screen_height_mm: number;
  dpi: number;
  diagonal_inches: number;
  monitor_name: string;
  camera_position: string;
  distance_cm: string;
  collection_method: 'automatic' | 'manual';
}

export interface Replay {
  problem: string | null;
  frames: { target_index: number; target_position: Position; kept: boolean | null; on_screen_mm: [number, number] | null }[];
  report: Report | null;
}

export interface Report {
  verdict: 'accept' | 'repeat' | 'refuse';
  repeat_targets: number[];
  reasons: { code: string; target: number | null; message: string }[];
  held_out: { accuracy_deg: number | null; accuracy_px: number | null };
}

export interface Completion {
  completed_at: string;
  file_checksums: Record<string, string>;
}

const BATCH_TIMEOUT_MS = 20_000;
/** Version of the words that are agreed to (Consent.tsx). */
export const POLICY_VERSION = '2025-1';

const post = async <T>(path: string, body: unknown, timeout_ms?: number): Promise<T> => json<T>(path, { method: 'POST', body, ...(timeout_ms === undefined ? {} : { timeout_ms }) });

export class Service {
  session_id = '';

  constructor(readonly candidate_id: string, readonly interview_id: string | null) {}

  /** A new session with the consent recorded, or the one that was interrupted. @returns frames by target that are there already, and the first free number */
  async open(resume: string | null): Promise<{ per_target: Record<string, number>; next_frame_index: number }> {
    const clock = { timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, client_time: new Date().toISOString() };
    const consent = { given: true, policy_version: POLICY_VERSION };
    if (resume !== null) {
      await post('/api/calibration/consent', { candidate_id: this.candidate_id, session_id: resume, ...consent });
      const resumed = await post<{ session_id: string; next_frame_index: number; frames_per_target_index: Record<string, number> }>(`/api/calibration/session/${resume}/resume`, {});
      this.session_id = resumed.session_id;
      return { per_target: resumed.frames_per_target_index, next_frame_index: resumed.next_frame_index };
    }
    const created = await post<{ session_id: string }>('/api/calibration/session/create', { candidate_id: this.candidate_id, interview_id: this.interview_id, consent, ...clock });
    this.session_id = created.session_id;
    return { per_target: {}, next_frame_index: 0 };
  }

  async saveScreen(screen: ScreenBody): Promise<void> {
    await post('/api/screen/info', { candidate_id: this.candidate_id, ...screen });
  }

  async start(): Promise<void> {
    await post('/api/calibration/start', this.#named({}));
  }

  /** Milliseconds that a request takes. */
  async latency(): Promise<{ latency_ms: number; recommended_fps: number | undefined }> {
    const from = performance.now();
    const { recommended_fps } = await json<{ recommended_fps?: number }>('/api/ping', { timeout_ms: 5_000 });
    return { latency_ms: performance.now() - from, recommended_fps };
  }

  /** Keeps the gaze of each frame. */
  async keep(frames: readonly Frame[]): Promise<Seen> {
    return post<Seen>('/api/calibration/frames/batch', this.#named({ frames: await Promise.all(frames.map(encoded)) }), BATCH_TIMEOUT_MS);
  }

  /** Looks at frames without keeping anything of them. */
  async look(frames: readonly Frame[]): Promise<Seen> {
    return post<Seen>('/api/calibration/look', this.#named({ frames: await Promise.all(frames.map(encoded)) }), BATCH_TIMEOUT_MS);
  }

  /** Forgets what was recorded at a target. */
  async redo(target_index: number): Promise<void> {
    await post(`/api/calibration/session/${this.session_id}/redo`, { target_index });
  }

  async replay(): Promise<Replay> {
    return json<Replay>(`/api/calibration/replay/${this.session_id}`);
  }

  async complete(): Promise<Completion> {
    return post<Completion>('/api/calibration/complete', this.#named({}), BATCH_TIMEOUT_MS);
  }

  async validate(): Promise<{ valid: boolean; problems: string[] }> {
    return post(`/api/calibration/validate/${this.session_id}`, {});
  }

  async download(): Promise<Blob> {
    return (await request(`/api/calibration/download/${encodeURIComponent(this.candidate_id)}?format=zip`)).blob();
  }

  #named<T extends object>(body: T): T & { session_id: string; candidate_id: string } {
    return { session_id: this.session_id, candidate_id: this.candidate_id, ...body };
  }
}

export function temporary(error: unknown): boolean {
  return error instanceof ApiError && error.temporary;
}

async function encoded({ image, ...frame }: Frame): Promise<object> {
  return { ...frame, frame_data: await base64(image) };
}

async function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => { resolve((reader.result as string).replace(/^data:[^,]*,/, '')); };
    reader.onerror = () => { reject(new Error('a picture of the camera cannot be read')); };
    reader.readAsDataURL(blob);
  });
}
