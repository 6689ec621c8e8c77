/**
 * Port-forwards into a cluster, like `kubectl port-forward svc/NAME`: they listen on loopback only, each on a port of its own, so that several cameras of
 * several clusters can be handled at once. Each connection gets a WebSocket of its own to the API server.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { CoreV1Api, KubeConfig, PortForward, type V1Pod } from '@kubernetes/client-node';
import { SightlineError } from '../../errors.js';
import type { PtzLog } from '../types.js';

const API_TIMEOUT_MS = 15_000;
/** What may wait for a slow reader on one connection; beyond it the connection ends. */
const BUFFER_BYTES = 32 * 1024 * 1024;
const MAX_CONNECTIONS = 64;
const DRAIN_LOOK_MS = 20;

export interface ForwardTarget {
  service: string;
  port: number;
}

export interface Forward {
  /** On 127.0.0.1. */
  port: number;
  close(): Promise<void>;
}

export interface Cluster {
  /** @throws PTZ_SERVICE_MISSING, PTZ_CLUSTER_UNREACHABLE */
  forward(target: ForwardTarget): Promise<Forward>;
}

export interface ClusterOptions {
  context: string;
  /** null = the context's own, else `default`. */
  namespace: string | null;
  /** null = KUBECONFIG, ~/.kube/config, or the service account of the pod we run in. */
  kubeconfig: string | null;
  log: PtzLog;
}

/** The part of a WebSocket that is used here; the library's types hide it. */
interface Channel {
  bufferedAmount: number;
  close(): void;
  onclose: ((event: unknown) => void) | null;
  onerror: ((event: unknown) => void) | null;
}

/** One cluster, by its context. The process's current context stays as it is. @throws PTZ_CLUSTER_CONTEXT */
export function openCluster({ context, namespace, kubeconfig, log }: ClusterOptions): Cluster {
  const config = loadKubeconfig(kubeconfig);
  const known = config.getContexts().map(({ name }) => name);
  if (!known.includes(context)) {
    throw new SightlineError('PTZ_CLUSTER_CONTEXT', `deployment: expected a context of the kubeconfig (${known.slice(0, 20).join(', ') || 'it has none'}), received ${JSON.stringify(context)}`);
  }
  config.setCurrentContext(context);
  const space = namespace ?? config.getContextObject(context)?.namespace ?? 'default';
  const api = config.makeApiClient(CoreV1Api);
  return {
    async forward({ service, port }) {
      const target = await resolveService(api, { context, space, service, port });
      const forwarder = new PortForward(config);
      const server = createServer({ allowHalfOpen: false, pauseOnConnect: true }, (socket) => {
        void connect(forwarder, socket, { space, ...target }).catch((error: unknown) => {
          log.warn({ context, service, why: wordsOf(error) }, 'port-forward connection failed');
          socket.destroy();
        });
      });
      server.maxConnections = MAX_CONNECTIONS;
      return { port: await listen(server), close: () => closeServer(server) };
    },
  };
}

function loadKubeconfig(file: string | null): KubeConfig {
  const config = new KubeConfig();
  try {
    if (file === null) config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (error) {
    throw new SightlineError('PTZ_CLUSTER_CONTEXT', `kubeconfig: expected a readable kubeconfig${file === null ? '' : ` at ${file}`}, ${wordsOf(error).split('\n', 1)[0] ?? ''}`, { cause: error });
  }
  return config;
}

interface Where extends ForwardTarget {
  context: string;
  space: string;
}

/** A ready pod behind the service, and the port of its container. */
async function resolveService(api: CoreV1Api, where: Where): Promise<{ pod: string; target_port: number }> {
  const { context, space, service, port } = where;
  const missing = (what: string): SightlineError => new SightlineError('PTZ_SERVICE_MISSING', `cluster ${context}: service ${service} in namespace ${space}: ${what}`);
  const found = await ask(where, api.readNamespacedService({ name: service, namespace: space }));
  const entry = (found.spec?.ports ?? []).find((one) => one.port === port);
  if (entry === undefined) throw missing(`expected port ${port}, it has ${(found.spec?.ports ?? []).map((one) => one.port).join(', ') || 'none'}`);
  const selector = Object.entries(found.spec?.selector ?? {}).map(([key, value]) => `${key}=${value}`).join(',');
  if (selector === '') throw missing('expected a selector of pods, it has none');
  const pods = await ask(where, api.listNamespacedPod({ namespace: space, labelSelector: selector, limit: 100 }));
  const pod = pods.items.find(isReady);
  if (pod?.metadata?.name === undefined) throw missing(`expected a ready pod (${selector}), found ${pods.items.length} pods, none of them ready`);
  const target: unknown = entry.targetPort ?? port;
  const target_port = typeof target === 'number' ? target : namedPort(pod, String(target));
  if (target_port === undefined) throw missing(`expected a container port named ${String(target)}, the pod has none`);
  return { pod: pod.metadata.name, target_port };
}

function isReady(pod: V1Pod): boolean {
  return pod.status?.phase === 'Running' && pod.metadata?.deletionTimestamp === undefined && (pod.status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True');
}

function namedPort(pod: V1Pod, name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  return (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []).find((port) => port.name === name)?.containerPort;
}

/** The answer of the API server, or what is wrong with the way to it. */
async function ask<T>({ context, space, service }: Where, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => { reject(new SightlineError('PTZ_CLUSTER_UNREACHABLE', `cluster ${context}: the API server did not answer within ${API_TIMEOUT_MS / 1000} s`)); }, API_TIMEOUT_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } catch (error) {
    if (error instanceof SightlineError) throw error;
    const status = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    if (status === 404) throw new SightlineError('PTZ_SERVICE_MISSING', `cluster ${context}: there is no service ${service} in namespace ${space}`);
    if (status === 401 || status === 403) throw new SightlineError('PTZ_CLUSTER_UNREACHABLE', `cluster ${context}: the API server refuses us (HTTP ${status}); are the credentials of the context expired?`);
    const words = typeof status === 'number' ? `HTTP ${status}` : wordsOf(error);
    throw new SightlineError('PTZ_CLUSTER_UNREACHABLE', `cluster ${context}: the API server cannot be asked: ${words}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function connect(forwarder: PortForward, socket: Socket, { space, pod, target_port }: { space: string; pod: string; target_port: number }): Promise<void> {
  let complaint = '';
  const output = {
    write(data: Buffer): boolean {
      if (data.length === 0 || socket.destroyed) return true;
      if (socket.writableLength > BUFFER_BYTES) socket.destroy();
      else socket.write(data);
      return true;
    },
  };
  const errors = { write: (data: Buffer) => { complaint = (complaint + data.toString('utf8')).slice(0, 500); return true; } };
  socket.on('error', () => undefined); // 'close' follows
  const opening = forwarder.portForward(space, pod, [target_port], output as never, errors as never, socket);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => { timer = setTimeout(() => { reject(new Error(`no WebSocket within ${API_TIMEOUT_MS / 1000} s`)); }, API_TIMEOUT_MS); });
  try {
    const channel = (await Promise.race([opening, late])) as unknown as Channel;
    channel.onclose = () => { socket.end(); };
    channel.onerror = () => { socket.destroy(); };
    socket.on('data', () => { holdBack(socket, channel); });
    socket.on('close', () => { channel.close(); });
    socket.resume();
    if (socket.destroyed) channel.close();
  } catch (error) {
    void opening.then((channel) => { (channel as unknown as Channel).close(); }, () => undefined);
    throw complaint === '' ? error : new Error(complaint.trim());
  } finally {
    clearTimeout(timer);
  }
}

/** Reads no more from a client whose data the API server does not take as fast. */
function holdBack(socket: Socket, channel: Channel): void {
  if (channel.bufferedAmount < BUFFER_BYTES / 8 || socket.isPaused()) return;
  socket.pause();
  const look = setInterval(() => {
    if (!socket.destroyed && channel.bufferedAmount > BUFFER_BYTES / 16) return;
    clearInterval(look);
    if (!socket.destroyed) socket.resume();
  }, DRAIN_LOOK_MS);
}

const sockets = new WeakMap<Server, Set<Socket>>();

async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>();
  sockets.set(server, open);
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function closeServer(server: Server): Promise<void> {
  for (const socket of sockets.get(server) ?? []) socket.destroy();
  await new Promise<void>((resolve) => { server.close(() => { resolve(); }); });
}

function wordsOf(error: unknown): string {
  if (error instanceof Error) {
    const cause = error.cause instanceof Error ? error.cause : error;
    return 'code' in cause ? `${String(cause.code)} ${cause.message}`.slice(0, 200) : cause.message.slice(0, 200);
  }
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message).slice(0, 200);
  return 'an unknown failure';
}
