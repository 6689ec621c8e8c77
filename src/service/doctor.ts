/** `sightline doctor`: looks at everything the daemon depends on and says of each what is fine, what is not, and how to mend it. Changes nothing. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { providersOf, type Config } from '../config/schema.js';
import { gpuPresent } from '../gpu.js';
import { maskUrls } from '../observability/redact.js';

export interface Finding {
  name: string;
  state: 'ok' | 'warning' | 'failed';
  /** What was found. */
  found: string;
  /** How to mend it; '' where nothing is wrong. */
  mend: string;
}

const CASCADES = ['/usr/share/opencv4/haarcascades', '/usr/share/opencv/haarcascades', '/usr/local/share/opencv4/haarcascades'];
const CONNECT_MS = 5_000;

/** Every finding, in the order of the dependencies. Never rejects; bounded in time. */
export async function examine({ root, config }: { root: string; config: Config }): Promise<Finding[]> {
  return [
    nodeVersion(), await capture(root), opencv(root), cascades(), await models(root, config), providers(config), nvdec(config), stateDir(config), await database(config), await receiver(config),
  ];
}

const finding = (name: string, state: Finding['state'], found: string, mend = ''): Finding => ({ name, state, found: maskUrls(found), mend });

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = (major === 20 && minor >= 17) || major > 22 || (major === 22 && minor >= 9);
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

function opencv(root: string): Finding {
  const file = path.join(root, 'node_modules/@u4/opencv4nodejs/build/Release');
  if (existsSync(file)) return finding('opencv', 'ok', '@u4/opencv4nodejs is built');
  return finding('opencv', 'failed', '@u4/opencv4nodejs is not built: PTZ checks are not possible', 'install libopencv-dev and run "npm run setup"');
}

function cascades(): Finding {
  const folder = CASCADES.find((candidate) => existsSync(path.join(candidate, 'haarcascade_frontalface_default.xml')));
  if (folder !== undefined) return finding('cascades', 'ok', folder);
  return finding('cascades', 'warning', 'no Haar cascades were found', 'apt-get install opencv-data');
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

function providers(config: Config): Finding {
  const wanted = providersOf(config.processing);
  if (gpuPresent()) return finding('gpu', 'ok', `an NVIDIA GPU is there; providers in order: ${wanted.join(', ')}`);
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
    return finding('state', 'ok', statSync(existing).isDirectory() ? `${folder} can be written` : folder);
  } catch {
    return finding('state', 'failed', `${folder} can't be written`, 'give the user of the daemon the folder, or set STATE_DIR');
  }
}

async function database({ database: { host, name, port } }: Config): Promise<Finding> {
  if (host === undefined && name === undefined) return finding('database', 'ok', 'none configured: the embedded one is used');
  const at = host ?? 'localhost';
  const fault = await reach(at, port);
  if (fault === '') return finding('database', 'ok', `${at}:${port} answers`);
  return finding('database', 'failed', `${at}:${port}: ${fault}`, 'start the database or mend DB_HOST and DB_PORT; the daemon starts without it and uses what it knew');
}

async function receiver({ php_system: { callback_url, auth_token } }: Config): Promise<Finding> {
  if (callback_url === undefined) return finding('callback', 'warning', 'php_system.callback_url is not set: results are posted to nobody', 'set PHP_CALLBACK_URL and CV_PIPELINE_TOKEN');
  const url = new URL(callback_url);
  const fault = await reach(url.hostname.replace(/^\[|\]$/g, ''), Number(url.port) || (url.protocol === 'https:' ? 443 : 80));
  if (fault !== '') return finding('callback', 'failed', `${url.origin}: ${fault}`, 'start the receiver or mend PHP_CALLBACK_URL; results wait in the outbox');
  if (auth_token === undefined) return finding('callback', 'warning', `${url.origin} answers, but there is no token`, 'set CV_PIPELINE_TOKEN');
  return finding('callback', 'ok', `${url.origin} answers; POST /api/callbacks/test of a running daemon tries the token`);
}

/** '' when somebody listens there, else the code of what went wrong. */
function reach(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (fault: string): void => {
      socket.destroy();
      resolve(fault);
    };
    socket.setTimeout(CONNECT_MS, () => { end('no answer within 5 s'); });
    socket.once('connect', () => { end(''); });
    socket.once('error', (error: NodeJS.ErrnoException) => { end(error.code ?? 'it cannot be reached'); });
  });
}

function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500);
}
