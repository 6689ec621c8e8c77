/** capture.node: that each function is there, and what it says to wrong arguments and at the wrong time. */
import path from 'node:path';
import t from 'tap';

import { CAPTURE_FUNCTIONS, loadCapture } from '../../src/capture/native.js';
import type { CaptureAddon } from '../../src/capture/types.js';
import { ERRORS } from '../../src/errors.js';
import { pattern, smallPool } from '../fixtures/capture.js';

const addon = loadCapture();

/** Calls a function with arguments that its types forbid; what it throws or rejects with. */
async function failure(name: string, args: unknown[]): Promise<{ code?: string; message: string }> {
  try {
    await (addon as unknown as Record<string, (...all: unknown[]) => unknown>)[name]?.(...args);
  } catch (error) {
    return error as { code?: string; message: string };
  }
  return { message: 'nothing was thrown' };
}

t.test('every declared function is there, and no other', async (t) => {
  t.same(Object.keys(addon).sort(), [...CAPTURE_FUNCTIONS].sort());
});

t.test('sizes, drop reasons and states are those of the TypeScript types', async (t) => {
  const { layout, libav, simd, simd_supported } = addon.info();
  t.same(layout, {
    max_inputs: 4,
    max_rows: 64,
    max_batches: 64,
    drop_reasons: ['no_slot', 'superseded', 'decode_error', 'waiting_key', 'too_large', 'unsupported', 'withheld'],
    states: ['connecting', 'streaming', 'stalled', 'backing_off', 'disabled', 'failed'],
  });
  t.match(libav, /^libavcodec \d+\.\d+\.\d+, libavformat /);
  t.ok(simd_supported.includes(simd));
  t.equal(simd_supported.at(-1), 'scalar');
});

t.test('the SIMD target can be chosen, an unknown one is refused without a change', async (t) => {
  const before = addon.info().simd;
  t.equal(addon.setSimdTarget('scalar'), true);
  t.equal(addon.info().simd, 'scalar');
  t.equal(addon.setSimdTarget('mmx'), false);
  t.equal(addon.info().simd, 'scalar');
  t.equal(addon.setSimdTarget(before), true);
});

t.test('monotonicUs is the clock of process.hrtime', async (t) => {
  const before = Number(process.hrtime.bigint() / 1000n);
  const now = addon.monotonicUs();
  const after = Number(process.hrtime.bigint() / 1000n);
  t.ok(before <= now && now <= after, `${before} <= ${now} <= ${after}`);
});

t.test('placement: letterbox centres, stretch fills', async (t) => {
  const [wide] = smallPool.inputs;
  if (!wide) throw new Error('the pool has inputs');
  const boxed = addon.placement(640, 640, wide);
  t.equal(boxed.x, 16);
  t.equal(boxed.y, 0);
  t.ok(Math.abs(boxed.scale_x - 0.05) < 1e-6);
  const stretched = addon.placement(640, 640, { ...wide, fit: 'stretch' });
  t.ok(Math.abs(stretched.scale_x - 0.1) < 1e-6 && Math.abs(stretched.scale_y - 0.05) < 1e-6);
});

t.test('before openPool() everything that needs the pool says so', async (t) => {
  const calls: [string, unknown[]][] = [
    ['poolStats', []], ['armReady', []], ['setTargetRows', [1]], ['takeBatch', [0]], ['releaseBatch', [0]], ['batchTensor', [0, 0]],
    ['addCamera', [pattern()]], ['rowJpeg', [0, 0, { quality: 80, max_width: 0 }]],
    ['cropRows', [0, new Int32Array(0), new Float32Array(0), new Uint8Array(0), 1, 1, 0]],
  ];
  for (const [name, args] of calls) t.equal((await failure(name, args)).code, 'NATIVE_CLOSED', name);
  t.same(addon.cameraStats(), []);
  await addon.close();
  await addon.close();
});

const camera = (change: Record<string, unknown>): unknown[] => [{ ...pattern(), ...change }];
const pool = (change: Record<string, unknown>): unknown[] => [{ ...smallPool, ...change }];
const input = (change: Record<string, unknown>): unknown[] => pool({ inputs: [{ ...smallPool.inputs[0], ...change }] });
const jpeg = { quality: 80, max_width: 0 };
const one = (rows: unknown, matrices: unknown, dest: unknown, ...rest: unknown[]): unknown[] => [0, rows, matrices, dest, ...rest];
const shared = new Uint8Array(new SharedArrayBuffer(12));

/** Function, arguments, what the message must say. All are NATIVE_ARGUMENT. */
const wrong: [string, unknown[], RegExp][] = [
  ['setSimdTarget', [], /name: expected a string of 1\.\.32 bytes, received undefined/],
  ['setSimdTarget', [7], /received 7/],
  ['setSimdTarget', [''], /received 0 bytes/],
  ['openPool', [], /options: expected an object, received undefined/],
  ['openPool', [[]], /expected an object, received an array/],
  ['openPool', pool({ batches: 1 }), /batches: expected an integer 2\.\.64, received 1/],
  ['openPool', pool({ batches: 2.5 }), /batches: expected an integer 2\.\.64, received 2\.5/],
  ['openPool', pool({ rows: '4' }), /rows: expected an integer 1\.\.64, received a string/],
  ['openPool', pool({ rows: 65 }), /received 65/],
  ['openPool', pool({ rows: Number.NaN }), /received NaN/],
  ['openPool', pool({ inputs: {} }), /inputs: expected an array, received an object/],
  ['openPool', pool({ inputs: [] }), /inputs\.length: expected 1\.\.4, received 0/],
  ['openPool', pool({ inputs: new Array(4_000_000_000) }), /inputs\.length: expected 1\.\.4, received 4000000000/],
  ['openPool', pool({ inputs: [null] }), /inputs\[0\]: expected an object, received null/],
  ['openPool', pool({ inputs: [smallPool.inputs[0], smallPool.inputs[0]] }), /inputs\[1\]\.name: expected a name used once/],
  ['openPool', input({ name: '' }), /name: expected a string of 1\.\.64 bytes, received 0 bytes/],
  ['openPool', input({ width: 0 }), /inputs\[0\]\.width: expected an integer 1\.\.4096, received 0/],
  ['openPool', input({ height: 4097 }), /height: expected an integer 1\.\.4096, received 4097/],
  ['openPool', input({ fit: 'crop' }), /fit: expected one of "letterbox", "stretch", received "crop"/],
  ['openPool', input({ pad: 256 }), /pad: expected an integer 0\.\.255, received 256/],
  ['openPool', pool({ batches: 64, rows: 64, inputs: [{ ...smallPool.inputs[0], width: 4096, height: 4096 }] }), /at most 8589934592 bytes/],
  ['addCamera', [], /options: expected an object/],
  ['addCamera', camera({ generation: -1 }), /generation: expected an integer 0\.\.4294967295, received -1/],
  ['addCamera', camera({ label: '' }), /label: expected a string of 1\.\.64 bytes/],
  ['addCamera', camera({ kind: 'http' }), /kind: expected one of "rtsp", "v4l2", "file", "lavfi", received "http"/],
  ['addCamera', camera({ url: 7 }), /url: expected a string/],
  ['addCamera', camera({ url: 'x'.repeat(5000) }), /url: expected a string of 1\.\.4096 bytes, received 5000 bytes/],
  ['addCamera', camera({ url: 'rtsp://user:secret@host/\0' }), /url: expected a string without zero bytes/],
  ['addCamera', camera({ transport: 'quic' }), /transport: expected one of "tcp", "udp"/],
  ['addCamera', camera({ loop: 1 }), /loop: expected a boolean, received 1/],
  ['addCamera', camera({ realtime: undefined }), /realtime: expected a boolean, received undefined/],
  ['addCamera', camera({ analysis_fps: 241 }), /analysis_fps: expected a number 0\.\.240, received 241/],
  ['addCamera', camera({ hw_device: 'x'.repeat(33) }), /hw_device/],
  ...['open_timeout_ms', 'read_timeout_ms', 'stall_limit_ms', 'backoff_min_ms', 'backoff_max_ms', 'backoff_auth_ms', 'healthy_after_ms'].map(
    (name): [string, unknown[], RegExp] => ['addCamera', camera({ [name]: 0 }), new RegExp(`${name}: expected an integer 1\\.\\.86400000, received 0`)],
  ),
  ['setAnalysisRate', [0, 1, 1], /handle: expected an integer/],
  ['setAnalysisRate', [1, -1, 0], /fps: expected/],
  ['setAnalysisRate', [1, 5, 'x'], /limit: expected/],
  ['removeCamera', [], /handle: expected an integer/],
  ['removeCamera', [0], /handle: expected an integer 1\.\.4294967295, received 0/],
  ['onState', [], /callback: expected a function, received undefined/],
  ['onReady', [{}], /callback: expected a function, received an object/],
  ['setTargetRows', [0], /rows: expected an integer 1\.\.4, received 0/],
  ['setTargetRows', [5], /received 5/],
  ['takeBatch', [], /readyBeforeUs: expected a number/],
  ['takeBatch', [Number.POSITIVE_INFINITY], /received Infinity/],
  ['takeBatch', [5n], /received something else/],
  ['releaseBatch', [4], /batch: expected an integer 0\.\.3, received 4/],
  ['releaseBatch', [-1], /received -1/],
  ['snapshot', [1], /options: expected an object/],
  ['snapshot', [1, { quality: 0, max_width: 0 }], /quality: expected an integer 1\.\.100, received 0/],
  ['snapshot', [1, { quality: 80, max_width: -1 }], /max_width: expected an integer 0\.\.8192, received -1/],
  ['rowJpeg', [0, 4, jpeg], /row: expected an integer 0\.\.3, received 4/],
  ['rowJpeg', [9, 0, jpeg], /batch: expected an integer 0\.\.3, received 9/],
  ['clip', [0, { from_us: 0, to_us: 1 }], /handle: expected an integer 1\.\./],
  ['clip', [1, null], /span: expected an object, received null/],
  ['clip', [1, { from_us: -1, to_us: 1 }], /span\.from_us: expected an integer 0\.\./],
  ['clip', [1, { from_us: 0 }], /span\.to_us: expected an integer 0\.\..*received undefined/],
  ['probe', [null], /options: expected an object, received null/],
  ['probe', camera({ kind: '' }), /kind: expected one of/],
  ['batchTensor', [4, 0], /batch: expected an integer 0\.\.3, received 4/],
  ['batchTensor', [0, 2], /input: expected an integer 0\.\.1, received 2/],
  ['cropRows', one([0], new Float32Array(6), new Uint8Array(12), 2, 2, 0), /rows: expected Int32Array over an ArrayBuffer, received an array/],
  ['cropRows', one(new Float32Array(1), new Float32Array(6), new Uint8Array(12), 2, 2, 0), /rows: .*another kind of array/],
  ['cropRows', one(new Int32Array(1), new Float32Array(5), new Uint8Array(12), 2, 2, 0), /matrices\.length: expected 6, received 5/],
  ['cropRows', one(new Int32Array(1), new Float32Array(6), new Uint8Array(11), 2, 2, 0), /dest\.length: expected at least 12, received 11/],
  ['cropRows', one(new Int32Array(1), new Float32Array(6), shared, 2, 2, 0), /dest: .*over a SharedArrayBuffer/],
  ['cropRows', one(new Int32Array(1), new Float32Array(6), new Uint8ClampedArray(12), 2, 2, 0), /dest: .*another kind of array/],
  ['cropRows', one(new Int32Array(1), new Float32Array(6), new Uint8Array(12), 0, 2, 0), /width: expected an integer 1\.\.4096/],
  ['cropRows', one(new Int32Array(1), new Float32Array(6), new Uint8Array(12), 2, 2, 300), /pad: expected an integer 0\.\.255/],
  ['cropRows', one(Int32Array.of(4), new Float32Array(6), new Uint8Array(12), 2, 2, 0), /rows\[0\]: expected 0\.\.3, received 4/],
  ['cropRows', one(Int32Array.of(-1), new Float32Array(6), new Uint8Array(12), 2, 2, 0), /rows\[0\]: .*received -1/],
  ['cropRows', one(new Int32Array(1), Float32Array.of(1, 0, 0, 0, NaN, 0), new Uint8Array(12), 2, 2, 0), /matrices\[4\]: expected a finite number/],
  ['cropRows', one(new Int32Array(4097), new Float32Array(4097 * 6), new Uint8Array(4097 * 3), 1, 1, 0), /rows\.length: expected at most 4096/],
  ['placement', [0, 1, smallPool.inputs[0]], /srcWidth: expected an integer 1\.\.65535, received 0/],
  ['placement', [1, 70_000, smallPool.inputs[0]], /srcHeight/],
  ['placement', [1, 1], /input: expected an object/],
  ['decodeStill', ['x'], /file: expected Uint8Array over an ArrayBuffer, received a string/],
  ['decodeStill', [new Uint8Array(0)], /file\.length: expected at least 1, received 0/],
  ['releaseStill', [{}], /still: expected a still of decodeStill\(\), received an object/],
  ['stillTensor', [7], /still: expected a still/],
  ['cropStill', [null], /still: expected a still/],
];

t.test('wrong arguments: what was expected and what came', async (t) => {
  addon.openPool(smallPool);
  t.teardown(() => addon.close());
  for (const [name, args, says] of wrong) {
    const { code, message } = await failure(name, args);
    t.equal(code, 'NATIVE_ARGUMENT', `${name}: ${message}`);
    t.match(message, says);
    t.ok(message.startsWith(`${name}: `), 'it names the function');
    t.notMatch(message, /secret/, 'it shows no credentials');
  }
  const without: (keyof CaptureAddon)[] = ['info', 'monotonicUs', 'close', 'cameraStats', 'poolStats', 'armReady'];
  const tried = new Set([...wrong.map(([name]) => name), ...without]);
  t.same(CAPTURE_FUNCTIONS.filter((name) => !tried.has(name)), [], 'each function was tried');
});

t.test('the pool: the same options again are fine, others are not; the wrong batch or row is refused', async (t) => {
  addon.openPool(smallPool);
  t.teardown(() => addon.close());
  addon.openPool({ ...smallPool });
  t.equal((await failure('openPool', pool({ rows: 3 }))).code, 'NATIVE_POOL_EXISTS');
  t.equal((await failure('releaseBatch', [0])).code, 'NATIVE_BATCH_STATE');
  t.equal((await failure('rowJpeg', [0, 0, jpeg])).code, 'NATIVE_BATCH_STATE');
  t.equal((await failure('cropRows', one(new Int32Array(1), new Float32Array(6), new Uint8Array(12), 2, 2, 0))).code, 'NATIVE_BATCH_STATE');
  t.equal((await failure('removeCamera', [12])).code, 'CAPTURE_HANDLE');
  t.equal((await failure('snapshot', [12, jpeg])).code, 'CAPTURE_HANDLE');
  t.equal(addon.takeBatch(Number.MAX_SAFE_INTEGER), null);
  const { bytes, free } = addon.poolStats();
  t.equal(bytes, 4 * (4 * 64 * 32 * 3 + 4 * 16 * 16 * 3));
  t.equal(free, 4);
});

t.test('every code is in the registry', async (t) => {
  for (const code of ['NATIVE_ARGUMENT', 'NATIVE_CLOSED', 'NATIVE_POOL_EXISTS', 'NATIVE_BATCH_STATE', 'CAPTURE_HANDLE']) t.ok(code in ERRORS);
});

t.test('loadCapture: a failed load lists what was tried and what to do', async (t) => {
  const here = t.testdir({ 'broken.node': 'not a library', 'other.cjs': 'module.exports = { info() {} };' });
  const files = ['absent.node', 'broken.node', 'other.cjs'].map((name) => path.join(here, name));
  t.throws(() => loadCapture(files), { code: 'NATIVE_LOAD_FAILED' });
  t.throws(() => loadCapture(files), /absent\.node: no such file; .*broken\.node: .*(invalid ELF header|file too short).*other\.cjs: older than this code, it has no setSimdTarget.*npm run build:native/);
  t.throws(() => loadCapture([]), { code: 'NATIVE_LOAD_FAILED' });
});
