/** Contender of the capture bench: beamcoder decodes a file and scales every frame to RGB. beamcoder.js FILE WIDTH HEIGHT FRAMES */
import { loadBeamcoder } from '../../src/demo/media.js';

interface Packet { stream_index: number }
interface Frames { frames: unknown[] }
interface Demuxer {
  streams: { index: number; codecpar: { codec_type: string; width: number; height: number; format: string }; time_base: [number, number]; sample_aspect_ratio: [number, number] }[];
  read(): Promise<Packet | null>;
}
interface Decoder { decode(packet: Packet): Promise<Frames>; flush(): Promise<Frames> }
interface Filterer { filter(frames: unknown[]): Promise<Frames[]> }
interface Api {
  demuxer(file: string): Promise<Demuxer>;
  decoder(options: object): Decoder;
  filterer(options: object): Promise<Filterer>;
}

const [file = '', width = '0', height = '0', expected = '0'] = process.argv.slice(2);
const beamcoder = loadBeamcoder() as unknown as Api;
const demuxer = await beamcoder.demuxer(file);
const stream = demuxer.streams.find((candidate) => candidate.codecpar.codec_type === 'video');
if (!stream) throw new Error('no video stream');
const decoder = beamcoder.decoder({ demuxer, stream_index: stream.index, thread_count: 1 });
const { codecpar } = stream;
const filterer = await beamcoder.filterer({
  filterType: 'video',
  inputParams: [{ width: codecpar.width, height: codecpar.height, pixelFormat: codecpar.format, timeBase: stream.time_base, pixelAspect: [1, 1] }],
  outputParams: [{ pixelFormat: 'rgb24' }],
  filterSpec: `scale=${width}:${height}`,
});
let count = 0;
async function scale(decoded: Frames): Promise<void> {
  if (decoded.frames.length === 0) return;
  for (const out of await filterer.filter(decoded.frames)) count += out.frames.length;
}
for (let packet = await demuxer.read(); packet; packet = await demuxer.read()) {
  if (packet.stream_index === stream.index) await scale(await decoder.decode(packet));
}
await scale(await decoder.flush());
if (Math.abs(count - Number(expected)) > 1) throw new Error(`expected ${expected} frames, ${count} came`);
