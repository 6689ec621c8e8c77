/** From what the server says of the recorded frames to what the person is shown: errors in degrees and pixels, point by point. */

interface Position {
  x: number;
  y: number;
}
export interface ScreenSize {
  width_px: number;
  height_px: number;
  width_mm: number;
  height_mm: number;
  distance_mm: number;
}

/** A frame with where the fit puts its gaze, millimetres from the screen's top left corner; null = unknown. */
export interface PlacedFrame {
  target: Position;
  on_screen_mm: readonly [number, number] | null;
}

export interface PointOutcome {
  target: Position;
  /** Shares of the screen, for the picture. */
  gazes: Position[];
  /** The median gaze; null without a frame. */
  median: Position | null;
  error_deg: number | null;
  error_px: number | null;
  /** Spread of the gazes around their median, root mean square. */
  spread_deg: number | null;
}

/** One outcome a target, in the order of the targets. */
export function outcomesOf(targets: readonly Position[], frames: readonly PlacedFrame[], screen: ScreenSize): PointOutcome[] {
  return targets.map((target) => {
    const placed = frames.filter((frame) => frame.target.x === target.x && frame.target.y === target.y).flatMap(({ on_screen_mm }) => (on_screen_mm === null ? [] : [on_screen_mm]));
    const gazes = placed.map(([x, y]) => ({ x: x / screen.width_mm, y: y / screen.height_mm }));
    if (placed.length === 0) return { target, gazes, median: null, error_deg: null, error_px: null, spread_deg: null };
    const middle = [median(placed.map(([x]) => x)), median(placed.map(([, y]) => y))] as const;
    const away_mm = Math.hypot(middle[0] - target.x * screen.width_mm, middle[1] - target.y * screen.height_mm);
    const spread_mm = Math.sqrt(placed.reduce((sum, [x, y]) => sum + (x - middle[0]) ** 2 + (y - middle[1]) ** 2, 0) / placed.length);
    return {
      target, gazes,
      median: { x: middle[0] / screen.width_mm, y: middle[1] / screen.height_mm },
      error_deg: degrees(away_mm, screen),
      error_px: (away_mm * screen.width_px) / screen.width_mm,
      spread_deg: degrees(spread_mm, screen),
    };
  });
}

/** Mean over the points that could be told; null where there is none. */
export function meanOf(outcomes: readonly PointOutcome[], field: 'error_deg' | 'error_px' | 'spread_deg'): number | null {
  const values = outcomes.flatMap((outcome) => outcome[field] ?? []);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a webcam gaze: under 3° is good, over 6° is not worth keeping. */
export function gradeOf(error_deg: number | null): 'good' | 'fair' | 'poor' | 'unknown' {
  if (error_deg === null) return 'unknown';
  return error_deg <= 3 ? 'good' : error_deg <= 6 ? 'fair' : 'poor';
}

function degrees(mm: number, { distance_mm }: ScreenSize): number {
  return (Math.atan2(mm, distance_mm) * 180) / Math.PI;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
