/**
 * beamcoder's part: photographs in, encoded clips out. Only for the main thread of a tool or child process: beamcoder registers
 * a segfault handler, prints a banner when it is loaded, and its native code writes remarks to stdout.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { SightlineError } from '../errors.js';
import type { PreparedPicture, Planes } from './compose.js';
import type { Clip, ClipCodec, Picture } from './scenes.js';

interface AvFrame {
  width: number;
  height: number;
  format: string;
  linesize: number[];
  data: Uint8Array[];
  alloc(): AvFrame;
}
interface AvPacket {
  pts: number;
  dts: number;
  duration: number;
  stream_index: number;
}
interface AvCoder {
  encode(frame: AvFrame): Promise<{ packets: AvPacket[] }>;
  flush(): Promise<{ packets: AvPacket[]; frames: AvFrame[] }>;
  decode(packet: AvPacket): Promise<{ frames: AvFrame[] }>;
  extradata?: Uint8Array;
}
interface AvMuxer {
  newStream(options: Record<string, unknown>): { codecpar: Record<string, unknown>; time_base: [number, number]; avg_frame_rate: [number, number] };
  openIO(): Promise<unknown>;
  writeHeader(): Promise<unknown>;
  writeFrame(packet: AvPacket): Promise<unknown>;
  writeTrailer(): Promise<unknown>;
}
/** The functions of beamcoder that are used here. */
export interface Beamcoder {
  logging(level: string): unknown;
  frame(options: Record<string, unknown>): AvFrame;
  packet(options: Record<string, unknown>): AvPacket;
  decoder(options: Record<string, unknown>): AvCoder;
  encoder(options: Record<string, unknown>): AvCoder;
  filterer(options: Record<string, unknown>): Promise<{ filter(frames: AvFrame[]): Promise<{ frames: AvFrame[] }[]> }>;
  muxer(options: Record<string, unknown>): AvMuxer;
}

/** Loads beamcoder without its banner. Throws DEMO_MISSING when it isn't built. */
export function loadBeamcoder(): Beamcoder {
  if (!isMainThread) throw new SightlineError('INTERNAL', 'beamcoder works on the main thread only');
  const terminal = globalThis.console;
  const log = terminal.log.bind(terminal);
  terminal.log = () => undefined;
  try {
    const beamcoder = createRequire(import.meta.url)('beamcoder') as Beamcoder;
    beamcoder.logging('error');
    return beamcoder;
  } catch (cause) {
    throw new SightlineError('DEMO_MISSING', 'beamcoder does not load; "npm run setup" builds it', { cause });
  } finally {
    terminal.log = log;
  }
}

/** MJPEG keeps the whole range of values, the others have the range of television. */
export function pixelFormat(codec: ClipCodec): 'yuv420p' | 'yuvj420p' {
  return codec === 'mjpeg' ? 'yuvj420p' : 'yuv420p';
}

/** Decodes the photograph and cuts the picture out of it, enlarged. */
export async function preparePicture(beamcoder: Beamcoder, file: string, picture: Picture, format: string): Promise<PreparedPicture> {
  const data = await readFile(file);
  const decoder = beamcoder.decoder({ name: 'mjpeg' });
  const decoded = await decoder.decode(beamcoder.packet({ data, size: data.length, pts: 0, dts: 0 }));
  const photo = decoded.frames[0] ?? (await decoder.flush()).frames[0];
  const [x, y, width, height] = picture.crop;
  if (photo === undefined || photo.width < x + width || photo.height < y + height) {
    throw new SightlineError('DEMO_MISSING', `${file}: expected a JPEG that holds ${picture.crop.join(',')}, received ${photo?.width ?? 0}x${photo?.height ?? 0}`);
  }
  const filter = await beamcoder.filterer({
    filterType: 'video',
    inputParams: [{ width: photo.width, height: photo.height, pixelFormat: photo.format, timeBase: [1, 1], pixelAspect: [1, 1] }],
    outputParams: [{ pixelFormat: format }],
    filterSpec: `crop=${width}:${height}:${x}:${y}:exact=1,scale=${width * picture.enlarge}:${height * picture.enlarge}:flags=lanczos`,
  });
  const cut = (await filter.filter([photo]))[0]?.frames[0];
  if (cut === undefined) throw new SightlineError('INTERNAL', `${file}: beamcoder's filter gave no picture`);
  // Copied: the frame's memory goes back to libav when it is collected.
  const planes = planesOf(cut).map((plane) => ({ ...plane, data: Uint8Array.from(plane.data) })) as unknown as Planes;
  return { planes, crop: picture.crop, enlarge: picture.enlarge };
}

function planesOf(frame: AvFrame): Planes {
  return [0, 1, 2].map((index) => ({
    data: frame.data[index] as Uint8Array,
    width: index === 0 ? frame.width : Math.ceil(frame.width / 2),
    height: index === 0 ? frame.height : Math.ceil(frame.height / 2),
    stride: frame.linesize[index] as number,
  })) as unknown as Planes;
}

const ENCODERS: Record<ClipCodec, { name: string; options: Record<string, unknown> }> = {
  // One thread each: the clip comes out the same on every machine.
  h264: { name: 'libx264', options: { preset: 'veryfast' } },
  hevc: { name: 'libx265', options: { preset: 'ultrafast', 'x265-params': 'log-level=error:bframes=0:pools=1:frame-threads=1' } },
  // The tables that RTP's JPEG assumes.
  mjpeg: { name: 'mjpeg', options: { huffman: 'default' } },
};

/** Encodes `count` frames and writes them to `file` (Matroska) in one step: there is never half a clip under that name. */
export async function encodeFrames(
  beamcoder: Beamcoder, file: string, clip: Omit<Clip, 'file' | 'shots' | 'shake_px'>, count: number, paint: (index: number, screen: Planes) => void,
): Promise<void> {
  const { width, height, fps } = clip;
  const { name, options } = ENCODERS[clip.codec];
  const encoder = beamcoder.encoder({
    name, width, height, pix_fmt: pixelFormat(clip.codec), time_base: [1, fps], framerate: [fps, 1], gop_size: clip.gop, max_b_frames: 0,
    bit_rate: clip.bit_rate, rc_max_rate: clip.bit_rate * 2, rc_buffer_size: clip.bit_rate * 2, thread_count: 1,
    flags: { GLOBAL_HEADER: true }, priv_data: options,
  });
  const part = `${file}.${process.pid}.part`;
  // beamcoder goes on with a file that it couldn't open, and crashes: Node opens it first, and says what is wrong with the folder.
  await writeFile(part, '');
  try {
    const packets: AvPacket[] = [];
    for (let index = 0; index < count; index++) {
      const frame = beamcoder.frame({ width, height, format: pixelFormat(clip.codec), pts: index }).alloc();
      paint(index, planesOf(frame));
      packets.push(...(await encoder.encode(frame)).packets);
    }
    packets.push(...(await encoder.flush()).packets);
    if (packets.length !== count) throw new SightlineError('INTERNAL', `${file}: expected ${count} packets from ${name}, received ${packets.length}`);
    await writeMatroska(beamcoder, part, clip, encoder, packets);
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

/** After encoding, because an encoder of beamcoder has its parameter sets only once it has encoded something. */
async function writeMatroska(
  beamcoder: Beamcoder, file: string, clip: Pick<Clip, 'codec' | 'width' | 'height' | 'fps'>, encoder: AvCoder, packets: AvPacket[],
): Promise<void> {
  const muxer = beamcoder.muxer({ filename: file, format_name: 'matroska' });
  const stream = muxer.newStream({ name: ENCODERS[clip.codec].name, time_base: [1, clip.fps], interleaved: true });
  Object.assign(stream.codecpar, { width: clip.width, height: clip.height, format: pixelFormat(clip.codec) });
  if (encoder.extradata !== undefined && clip.codec !== 'mjpeg') stream.codecpar.extradata = encoder.extradata;
  stream.avg_frame_rate = [clip.fps, 1];
  await muxer.openIO();
  await muxer.writeHeader();
  const [numerator, denominator] = stream.time_base; // the muxer has chosen its own
  const tick = (index: number): number => Math.round((index * denominator) / (numerator * clip.fps));
  for (const packet of packets) {
    const index = packet.pts;
    Object.assign(packet, { stream_index: 0, pts: tick(index), dts: tick(index), duration: tick(index + 1) - tick(index) });
    await muxer.writeFrame(packet);
  }
  await muxer.writeTrailer();
}
