/** The four services of a device, wherever they are: in a cluster behind forwards, or directly reachable. */
import type { Access } from '../config/devices.js';
import { SightlineError } from '../../errors.js';
import type { PtzLog } from '../types.js';
import { openCluster, type Forward } from './forward.js';

export interface Endpoints {
  mqtt: string;
  media: string;
  /** Without the name of the stream. */
  rtsp: string;
  /** null: this device takes no commands. */
  command: string | null;
  close(): Promise<void>;
}

export interface EndpointOptions {
  access: Access;
  camera: string;
  /** Is the camera driven? Only then its command service is needed. */
  commands: boolean;
  kubeconfig: string | null;
  log: PtzLog;
}

/** @throws PTZ_CLUSTER_*, PTZ_SERVICE_MISSING */
export async function openEndpoints({ access, camera, commands, kubeconfig, log }: EndpointOptions): Promise<Endpoints> {
  if (access.kind === 'folder') throw new SightlineError('PTZ_FRAME_FAILED', 'device: its pictures come from a folder, there is nothing to connect to');
  if (access.kind === 'direct') {
    const trimmed = (url: string): string => url.replace(/\/+$/, '');
    return {
      mqtt: trimmed(access.mqtt), media: trimmed(access.media), rtsp: trimmed(access.rtsp),
      command: access.command === null ? null : trimmed(access.command.replaceAll('{camera}', camera)), close: async () => undefined,
    };
  }
  const { services } = access;
  const cluster = openCluster({ context: access.context, namespace: access.namespace, kubeconfig, log });
  const open: Forward[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.splice(0).map((forward) => forward.close()));
  };
  const to = async (service: string, port: number): Promise<number> => {
    const forward = await cluster.forward({ service: service.replaceAll('{camera}', camera), port });
    open.push(forward);
    return forward.port;
  };
  try {
    const mqtt = await to(services.mqtt, services.mqtt_port);
    const media = await to(services.media, services.media_port);
    const rtsp = await to(services.media, services.rtsp_port);
    const command = commands ? await to(services.command, services.command_port) : null;
    return {
      mqtt: `mqtt://127.0.0.1:${mqtt}`, media: `http://127.0.0.1:${media}`, rtsp: `rtsp://127.0.0.1:${rtsp}`,
      command: command === null ? null : `http://127.0.0.1:${command}`, close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
