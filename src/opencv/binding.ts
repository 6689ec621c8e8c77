/** The parts of @u4/opencv4nodejs that are used. Loaded in the child process only; it prints about its build when it loads. */
import { createRequire } from 'node:module';

export interface Mat {
  readonly rows: number;
  readonly cols: number;
  getData(): Buffer;
  getRegion(rect: unknown): Mat;
  /** 1 = left and right change places. */
  flip(code: number): Mat;
}

export interface KeyPoint {
  readonly pt: { x: number; y: number };
  readonly size: number;
}

export interface Detector {
  detect(image: Mat, mask?: Mat): KeyPoint[];
  compute(image: Mat, points: KeyPoint[]): Mat;
}

export interface DescriptorMatch {
  readonly queryIdx: number;
  readonly trainIdx: number;
  readonly distance: number;
}

interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Cascade {
  detectMultiScale(image: Mat, scale: number, min_neighbours: number, flags: number, min_size: unknown): { objects: Rect[] };
}

export interface Binding {
  readonly CV_8U: number;
  readonly CV_32F: number;
  readonly IMREAD_GRAYSCALE: number;
  Mat: new (data: Buffer, rows: number, cols: number, type: number) => Mat;
  Rect: new (x: number, y: number, width: number, height: number) => Rect;
  Size: new (width: number, height: number) => unknown;
  AKAZEDetector: new () => Detector;
  ORBDetector: new (max_features: number) => Detector;
  CascadeClassifier: new (file: string) => Cascade;
  readonly IMWRITE_JPEG_QUALITY: number;
  imencode(extension: string, image: Mat, flags: number[]): Buffer;
  imdecode(data: Buffer, flags: number): Mat;
  matchKnnBruteForce(a: Mat, b: Mat, k: number): DescriptorMatch[][];
  matchKnnBruteForceHamming(a: Mat, b: Mat, k: number): DescriptorMatch[][];
  setNumThreads(threads: number): void;
}

export function loadBinding(): Binding {
  return createRequire(import.meta.url)('@u4/opencv4nodejs') as Binding;
}
