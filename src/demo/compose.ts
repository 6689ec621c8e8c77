/** Draws the frames of a clip: pictures moved, enlarged and laid over each other. Pure; planes are 8-bit 4:2:0. */
import type { Box, Clip, Layer, PictureName, Shot, View } from './scenes.js';

/** One plane of bytes. */
export interface Plane {
  data: Uint8Array;
  width: number;
  height: number;
  /** Bytes from row to row, at least `width`. */
  stride: number;
}

/** Y, U and V; U and V have half the width and height, rounded up. */
export type Planes = readonly [Plane, Plane, Plane];

/** A picture as it is kept for drawing. */
export interface PreparedPicture {
  planes: Planes;
  /** Where its pixels lie in the photograph. */
  crop: Box;
  enlarge: number;
}

export type PreparedPictures = Readonly<Partial<Record<PictureName, PreparedPicture>>>;

const FADE_S = 0.5;

/** Frames that the clip has. */
export function frameCount(clip: Clip): number {
  return Math.round(clip.shots.reduce((sum, shot) => sum + shot.seconds, 0) * clip.fps);
}

/** The pictures that a clip needs. */
export function picturesOf(clip: Clip): PictureName[] {
  return [...new Set(clip.shots.flatMap((shot) => shot.layers.map((layer) => layer.picture)))];
}

/** Paints frame `index` of the clip. Every pixel is written as long as the first layer of each shot covers the screen. */
export function paintFrame(clip: Clip, index: number, pictures: PreparedPictures, screen: Planes): void {
  const { shot, time_s } = shotAt(clip, index);
  for (const layer of shot.layers) {
    const picture = pictures[layer.picture];
    if (picture === undefined) throw new RangeError(`expected the prepared picture ${layer.picture}`);
    const alpha = alphaAt(layer, time_s);
    if (alpha > 0) paintLayer(layer, viewAt(layer.views, time_s / shot.seconds), alpha, picture, screen, shakeAt(index / clip.fps, clip.shake_px));
  }
}

function shotAt(clip: Clip, index: number): { shot: Shot; time_s: number } {
  let time_s = index / clip.fps;
  for (const shot of clip.shots) {
    if (time_s < shot.seconds) return { shot, time_s };
    time_s -= shot.seconds;
  }
  throw new RangeError(`expected a frame number below ${frameCount(clip)}, received ${index}`);
}

function alphaAt({ comes_s = -FADE_S, leaves_s = Infinity }: Layer, time_s: number): number {
  return Math.max(0, Math.min(1, (time_s - comes_s) / FADE_S, (leaves_s - time_s) / FADE_S));
}

/** `progress` 0..1 along the views; it comes to rest at each. */
export function viewAt(views: readonly View[], progress: number): View {
  const at = Math.min(Math.max(progress, 0), 1) * (views.length - 1);
  const from = views[Math.floor(at)] as View;
  const to = views[Math.min(Math.floor(at) + 1, views.length - 1)] as View;
  const part = at - Math.floor(at);
  const eased = part * part * (3 - 2 * part);
  return [from[0] + (to[0] - from[0]) * eased, from[1] + (to[1] - from[1]) * eased, from[2] + (to[2] - from[2]) * eased];
}

/** A hand that holds a camera: slow, in no simple rhythm, and the same in every run. */
function shakeAt(time_s: number, shake_px: number): readonly [number, number] {
  const wave = (hertz: number, phase: number): number => Math.sin(2 * Math.PI * hertz * time_s + phase);
  return [shake_px * (0.6 * wave(0.7, 0) + 0.4 * wave(1.9, 1)), shake_px * (0.6 * wave(0.9, 2) + 0.4 * wave(1.7, 3))];
}

function paintLayer(layer: Layer, view: View, alpha: number, picture: PreparedPicture, screen: Planes, shake: readonly [number, number]): void {
  for (const [index, target] of screen.entries()) {
    const source = picture.planes[index] as Plane;
    const left = Math.round(layer.tile[0] * target.width);
    const top = Math.round(layer.tile[1] * target.height);
    const width = Math.min(target.width - left, Math.round(layer.tile[2] * target.width));
    const height = Math.min(target.height - top, Math.round(layer.tile[3] * target.height));
    // Pixels of this plane of the picture for one pixel of the photograph, and for one of the screen.
    const scale = (picture.enlarge * source.width) / picture.planes[0].width;
    const step = (view[2] * scale) / width;
    const subsampling = target.width / screen[0].width;
    const x = (view[0] - picture.crop[0]) * scale + shake[0] * subsampling * step;
    const y = (view[1] - picture.crop[1]) * scale + shake[1] * subsampling * step;
    paintTile(source, target, { left, top, width, height }, { x, y, step }, alpha);
  }
}

interface Tile {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Bilinear; what lies outside the picture repeats its edge. */
function paintTile(source: Plane, target: Plane, tile: Tile, from: { x: number; y: number; step: number }, alpha: number): void {
  const columns = new Int32Array(tile.width);
  const weights = new Int32Array(tile.width);
  for (let x = 0; x < tile.width; x++) {
    const at = clamp(from.x + (x + 0.5) * from.step - 0.5, source.width - 1.001);
    columns[x] = Math.floor(at);
    weights[x] = Math.round((at - Math.floor(at)) * 256);
  }
  const opaque = Math.round(alpha * 256);
  for (let y = 0; y < tile.height; y++) {
    const at = clamp(from.y + (y + 0.5) * from.step - 0.5, source.height - 1.001);
    const upper = Math.floor(at) * source.stride;
    paintRow(source.data, upper, source.stride, Math.round((at - Math.floor(at)) * 256), columns, weights, target.data, (tile.top + y) * target.stride + tile.left, opaque);
  }
}

function paintRow(
  source: Uint8Array, upper: number, stride: number, down: number, columns: Int32Array, weights: Int32Array, target: Uint8Array, at: number, opaque: number,
): void {
  for (let x = 0; x < columns.length; x++) {
    const left = upper + (columns[x] as number);
    const right = weights[x] as number;
    const above = (source[left] as number) * (256 - right) + (source[left + 1] as number) * right;
    const below = (source[left + stride] as number) * (256 - right) + (source[left + stride + 1] as number) * right;
    const value = (above * (256 - down) + below * down + 32768) >> 16;
    target[at + x] = opaque === 256 ? value : (value * opaque + (target[at + x] as number) * (256 - opaque) + 128) >> 8;
  }
}

function clamp(value: number, high: number): number {
  return value < 0 ? 0 : value > high ? high : value;
}
