/**
 * The offset of a PTZ camera: what goes into an estimate and what comes out. Angles are degrees in the convention of telemetry: yaw (pan) positive to
 * the right, pitch (tilt) positive up, roll positive counter-clockwise as seen from behind the camera. An offset is what telemetry reports minus
 * where the camera really looks, in the mount frame at pan 0, relative to the reference views.
 */

/** Local features of a picture; what reference collection stores and `estimateOffset` matches. */
export interface Features {
  method: FeatureMethod;
  /** Size of the picture in pixels. */
  width: number;
  height: number;
  count: number;
  /** x, y of each feature in pixels; the centre of the upper left pixel is 0, 0. */
  xy: Float32Array;
  /** Diameter of each feature in pixels. */
  size: Float32Array;
  /** `count` × `descriptor_bytes`: SIFT as bytes (128), AKAZE (61) and ORB (32) as bits. */
  descriptors: Uint8Array;
  descriptor_bytes: number;
}

export type FeatureMethod = 'sift' | 'akaze' | 'orb';

/** Lens and sensor at zoom 1, in pixels of the full picture. */
export interface PtzCamera {
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
  /** First radial term: a ray at radius r (in focal lengths) is seen at r(1 + k1 r²). 0 without. */
  k1: number;
}

/** A picture with the telemetry that belongs to it. */
export interface PtzView {
  /** How results name it, for example the file. */
  name: string;
  /** Encoded picture (PNG, JPEG, ...), or its features where they are known already. */
  picture: Uint8Array | Features;
  pan_deg: number;
  tilt_deg: number;
  /** Of the telemetry; 0 without. */
  roll_deg?: number;
  /**
   * Magnification against `PtzCamera` (1 and more). Values below 1 are the 0..1 scale of the command, which says nothing of the focal length: views
   * of the same value are compared with the camera's focal length, others not at all. 1 without.
   */
  zoom?: number;
  /** More pictures of the same pointing, some time apart, at most AGAIN_MAX: what differs between them moves and is left out. */
  again?: readonly Uint8Array[];
}

/** Shares of the picture that are ignored, from each edge. */
export interface RoiMargins {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

export interface OffsetOptions {
  camera: PtzCamera;
  /** An alert needs an offset beyond this, with its whole interval. Default 0.5. */
  threshold_deg?: number;
  /** Default sift. */
  method?: FeatureMethod;
  /** Most features of a picture. Default 2000. */
  max_features?: number;
  /** Share of the picture ignored at each edge; default none. */
  ignore?: Partial<RoiMargins>;
  /** A query is compared with at most so many references, the nearest by telemetry. Default 8. */
  max_references?: number;
  /** Views further apart in zoom than this factor are not compared. Default 1.25. */
  zoom_band?: number;
  /** Offsets beyond this are refused as wrong, not believed. Default 20. */
  max_offset_deg?: number;
  /** Two runs with the same seed and input give the same numbers. Default 1. */
  seed?: number;
  signal?: AbortSignal;
}

/** ok and drift are sure; uncertain has numbers that decide nothing; refused has none. */
export type OffsetStatus = 'ok' | 'drift' | 'uncertain' | 'refused';

/** Why a result or a view is not sure; '' where nothing is to be said. */
export type OffsetReason =
  | ''
  /** There is no reference view, or no query view. */
  | 'no_references' | 'no_queries'
  /** No reference looks near enough to where the query should look, or none has its zoom. */
  | 'no_candidate' | 'no_zoom_band'
  /** The picture cannot be read, or has another size than the camera's. */
  | 'unreadable_image' | 'wrong_size'
  /** Too few features (dark, blurred, covered), too few matches, or matches that no rotation explains: another camera, a moved one, no overlap. */
  | 'too_few_features' | 'no_overlap' | 'inconsistent'
  /** The matches cover too small a part of the picture to tell the rotation. */
  | 'poor_spread'
  /** The rotation found is larger than `max_offset_deg`. */
  | 'too_large'
  /** The interval reaches over the threshold. */
  | 'interval_over_threshold'
  /** Views contradict each other by far more than their intervals. */
  | 'views_disagree'
  /** The OpenCV process failed twice, or did not answer in time. */
  | 'features_failed';

/** Angles in degrees; in `ci95_deg` half the width of the 95 % interval. */
export interface Angles {
  yaw: number;
  pitch: number;
  roll: number;
}

/** What one query view says. */
export interface ViewOffset {
  image: string;
  status: 'used' | 'refused';
  reason: OffsetReason;
  /** References that matched. */
  references: string[];
  yaw_deg: number | null;
  pitch_deg: number | null;
  roll_deg: number | null;
  ci95_deg: Angles | null;
  inliers: number;
  /** Matches before the outliers were taken out. */
  matches: number;
  /** Share of the picture's cells that hold an inlier. */
  spread: number;
  /** Share of the picture that moves between the pictures of its pointing; it is left out up to a half, beyond that nothing is. null = one picture only. */
  moving_share: number | null;
}

/** Milliseconds spent, by part. */
export interface OffsetTimings {
  features_ms: number;
  matching_ms: number;
  estimation_ms: number;
}

export interface OffsetResult {
  status: OffsetStatus;
  reason: OffsetReason;
  /** One sentence for people. */
  detail: string;
  /** Telemetry minus truth; null where refused. */
  yaw_deg: number | null;
  pitch_deg: number | null;
  roll_deg: number | null;
  /** Half the width of the 95 % interval of each. */
  ci95_deg: Angles | null;
  /** Real focal length of the queries over the one that telemetry and the references lead to expect; 1 is no zoom error. */
  zoom_ratio: number | null;
  zoom_ci95: number | null;
  /** The radial term that the pictures show, beside `PtzCamera.k1`. */
  k1: number | null;
  /** What the queries' radial term is beyond the references': far from 0, the lens was changed or stands at another zoom or focus. */
  k1_change: number | null;
  inliers: number;
  /** Share of the picture's cells that hold an inlier, over all views. */
  spread: number;
  /** Standard deviation between views beyond what their own intervals explain, in degrees; null with one view. */
  view_scatter_deg: number | null;
  views: ViewOffset[];
  timings: OffsetTimings;
}

/** Refusals are results; it rejects only for faults of the caller (options out of range) and when it was aborted. */
export type EstimateOffset = (references: readonly PtzView[], queries: readonly PtzView[], options: OffsetOptions) => Promise<OffsetResult>;

/** Reads a picture and finds its features, as the estimate would. Rejects with PTZ_IMAGE or OPENCV_*. */
export type ExtractFeatures = (picture: Uint8Array, options: Pick<OffsetOptions, 'method' | 'max_features' | 'ignore' | 'signal'> & Pick<PtzView, 'again'>) => Promise<Features & Pick<ViewOffset, 'moving_share'>>;

/** What `openOffsetEngine()` gives: the functions over one OpenCV child process. */
export interface OffsetEngine {
  estimateOffset: EstimateOffset;
  extractFeatures: ExtractFeatures;
  close(): Promise<void>;
}
