/** Bodies of the API as far as this page reads them. */

export interface Mark {
  kind: 'face' | 'person' | 'object';
  /** [x, y, width, height], shares of the picture. */
  box: number[];
  label: string;
  score: number;
}

export interface CameraView {
  camera_id: number;
  camera_name: string;
  state: string;
  reason: string;
  fps: number;
  expected_fps: number | null;
  frame_age_ms: number | null;
  drops: number;
  width: number;
  height: number;
  location: string | null;
  analysed_at: string | null;
  risk_level: string | null;
  risk_score: number | null;
  baseline: string | null;
  marks: Mark[];
}

export interface Sample {
  at_ms: number;
  frames_per_s: number;
  p50_ms: number | null;
  p99_ms: number | null;
  fill: Record<string, number>;
  dropped: number;
  backlog: number;
}

export interface Overview {
  version: string;
  at: string;
  ready: boolean;
  reasons: string[];
  cameras: CameraView[];
  pipeline: { frames_per_s: number; p50_ms: number | null; p99_ms: number | null; drops: Record<string, number>; providers: Record<string, string>; slowed: number; paused: number };
  callbacks: {
    backlog: number;
    delivered: number;
    failed: number;
    dead_letters: number;
    oldest_age_s: number | null;
    targets: { url: string; state: string; last_status: number | null; last_error: string | null }[];
  };
  samples: Sample[];
}
