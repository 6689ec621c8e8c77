/** `sightline doctor`: looks at everything the daemon depends on and says of each what is fine, what is not, and how to mend it. Changes nothing. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { providersOf, type Config } from '../config/schema.js';
import { gpuPresent } from '../gpu.js';
import { maskUrls } from '../observability/redact.js';
import { addonFault, ADDONS, cascadeFaults, nodeFits, packages } from './dependencies.js';
import { examineCalibrationDatabase, examineDatabase, examineReceiver } from './peers.js';

export interface Finding {
  name: string;
  state: 'ok' | 'warning' | 'failed';
  /** What was found. */
  found: string;
  /** How to mend it; '' where nothing is wrong. */
  mend: string;
}

/** Where `npm run setup:gpu` puts it, from the root of the installation. */
const CUDA_PROVIDER = 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so';
/** Outbox, baselines and evidence need room on the disk; below this it is said. */
const FREE_GIB_MIN = 1;

/** Every finding, in the order of the dependencies. Never rejects; bounded in time. */
export async function examine({ root, config }: { root: string; config: Config }): Promise<Finding[]> {
  return [
    nodeVersion(), installed(root), addons(root), await capture(root), await opencv(root), await models(root, config), providers(root, config), nvdec(config), stateDir(config), ...(await peers(config)),
  ];
}

const finding = (name: string, state: Finding['state'], found: string, mend = ''): Finding => ({ name, state, found: maskUrls(found), mend });

function nodeVersion(): Finding {
  const fits = nodeFits();
  return finding('node', fits ? 'ok' : 'failed', `Node.js ${process.version}`, fits ? '' : 'install Node.js 20.17 or newer, or 22.9 or newer');
}

async function capture(root: string): Promise<Finding> {
  try {
    const { loadCapture } = await import('../capture/native.js');
    const info = loadCapture().info();
    return finding('ffmpeg', 'ok', `${info.libav}; SIMD ${info.simd}`);
  } catch (error) {
    return finding('ffmpeg', 'failed', textOf(error), `run "npm run setup" in ${root}`);
  }
}

function installed(root: string): Finding {
  const { count, missing } = packages(root);
  if (missing.length > 0) return finding('packages', 'failed', `not installed: ${missing.join(', ')}`, 'run "npm run setup"');
  return finding('packages', 'ok', `${count} npm packages are installed`);
}

function addons(root: string): Finding {
  const faults = ADDONS.flatMap((file) => {
    const fault = addonFault(root, file);
    return fault === '' ? [] : [`${path.basename(file)}: ${fault}`];
  });
  if (faults.length === 0) return finding('addons', 'ok', `${ADDONS.length} native addons load`);
  return finding('addons', 'failed', faults.join('; '), 'run "npm run setup"; it says which Debian packages are missing');
}

async function opencv(root: string): Promise<Finding> {
  const faults = (await cascadeFaults(root)).filter(({ fault }) => fault !== '');
  if (faults.length === 0) return finding('opencv', 'ok', 'OpenCV answers, and every cascade loads and searches a picture');
  return finding('opencv', 'failed', faults.map(({ cascade, fault }) => `cascade ${cascade}: ${fault}`).join('; '), 'apt-get install libopencv-dev opencv-data, then "npm run setup"; until then no eyes are tracked and no PTZ camera is checked');
}

async function models(root: string, config: Config): Promise<Finding> {
  try {
    const { loadModels } = await import('../inference/models.js');
    const { check } = await import('../inference/models_command.js');
    const results = check(await loadModels({ root, models: config.models, cache_dir: path.join(config.state_dir, 'models') }));
    const bad = results.filter((model) => !model.ok);
    if (bad.length === 0) return finding('models', 'ok', `${results.length} models, each as declared`);
    return finding('models', 'failed', bad.map(({ id, problems }) => `${id}: ${problems.join(', ')}`).join('; '), 'run "npm run setup", or mend MODEL_DIR; "sightline models check" has the details');
  } catch (error) {
    return finding('models', 'failed', textOf(error), 'run "npm run setup", or mend MODEL_DIR and *_MODEL');
  }
}

function providers(root: string, config: Config): Finding {
  const wanted = providersOf(config.processing);
  if (gpuPresent()) {
    const found = `an NVIDIA GPU is there; providers in order: ${wanted.join(', ')}`;
    if (!wanted.includes('cuda') || existsSync(path.join(root, CUDA_PROVIDER))) return finding('gpu', 'ok', found);
    return finding('gpu', 'warning', `${found}; the CUDA libraries of ONNX Runtime are missing`, 'run "npm run setup:gpu" (docs/GPU.md)');
  }
  if (wanted[0] === 'cpu') return finding('gpu', 'ok', 'not wanted: inference runs on the CPU');
  return finding('gpu', 'warning', `there is no NVIDIA GPU (/dev/nvidia0): of ${wanted.join(', ')} only the CPU is left`, 'expect fewer frames; install the driver, or set processing.use_gpu to false (docs/GPU.md)');
}

function nvdec(config: Config): Finding {
  if (config.capture.hw_decode === 'off') return finding('nvdec', 'ok', 'not wanted (capture.hw_decode)');
  if (!gpuPresent()) return finding('nvdec', 'ok', 'no GPU: streams are decoded on the CPU');
  const library = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib/aarch64-linux-gnu', '/usr/lib/wsl/lib'].some((folder) => existsSync(path.join(folder, 'libnvcuvid.so.1')));
  return library ? finding('nvdec', 'ok', 'libnvcuvid is there') : finding('nvdec', 'warning', 'libnvcuvid.so.1 is missing: streams are decoded on the CPU', "install the driver's video libraries (libnvcuvid1)");
}

function stateDir(config: Config): Finding {
  const folder = config.state_dir;
  let existing = folder;
  while (!existsSync(existing)) existing = path.dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
    const { bavail, bsize } = statfsSync(existing);
    const free_gib = (bavail * bsize) / 2 ** 30;
    const found = `${folder} can be written, ${free_gib.toFixed(1)} GiB are free`;
    if (free_gib >= FREE_GIB_MIN) return finding('state', 'ok', found);
    return finding('state', 'warning', found, 'make room, or lower delivery.outbox_max_mib, evidence.max_mib and detection.baseline_max_mib');
  } catch {
    return finding('state', 'failed', `${folder} can't be written`, 'give the user of the daemon the folder, or set STATE_DIR');
  }
}

async function peers(config: Config): Promise<Finding[]> {
  const found = { database: await examineDatabase(config), calibration: await examineCalibrationDatabase(config), callback: await examineReceiver(config) };
  return Object.entries(found).flatMap(([name, one]) => (one === undefined ? [] : [finding(name, one.state, one.found, one.mend)]));
}

function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500);
}
