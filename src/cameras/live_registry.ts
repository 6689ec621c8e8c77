/**
 * The registry in force, as one object over changes of its settings: those who hold or watch it see other cameras, never another registry. Until the
 * new one has been read once, the cameras that were read before stay: a wrong password takes no stream away.
 */
import type { Config } from '../config/schema.js';
import type { CameraTable, OpenRegistry } from './open_registry.js';
import type { Registry, RegistryState } from './registry.js';
import type { CameraChange, CameraRecord, NewCamera } from './types.js';

export class LiveRegistry implements Registry {
  readonly #open: (config: Config) => OpenRegistry;
  /** Those who watch, and how each is taken off the registry that is in force. */
  readonly #watchers = new Map<() => void, () => void>();
  #current: OpenRegistry;
  /** What was read last. */
  #read: CameraRecord[] | undefined;
  /** What was read before the settings changed; undefined as soon as the new registry has been read. */
  #before: CameraRecord[] | undefined;

  /** `open` opens no connection yet. */
  constructor(open: (config: Config) => OpenRegistry, config: Config) {
    this.#open = open;
    this.#current = open(config);
  }

  /** Where states are written back; undefined: nowhere. Another object after the settings have changed. */
  get table(): CameraTable | undefined {
    return this.#current.table;
  }

  /** Goes on with other settings; who watches is told by the next reading. Errors: STATE_KEY, then nothing has changed. */
  async configure(config: Config): Promise<void> {
    const old = this.#current;
    this.#current = this.#open(config);
    this.#before = this.#read;
    for (const [onChange, stop] of this.#watchers) {
      stop();
      this.#watchers.set(onChange, this.#current.registry.watch(onChange));
    }
    await old.close();
  }

  async list(): Promise<CameraRecord[]> {
    const { registry } = this.#current;
    const cameras = await registry.list();
    // The settings have changed meanwhile.
    if (registry !== this.#current.registry) return this.list();
    const { last_read_at, from_cache } = registry.state();
    if (this.#before !== undefined && (last_read_at === null || from_cache)) return this.#before;
    this.#before = undefined;
    this.#read = cameras;
    return cameras;
  }

  state(): RegistryState {
    const state = this.#current.registry.state();
    return this.#before === undefined ? state : { ...state, from_cache: true, cameras: this.#before.length };
  }

  async get(cameraId: number): Promise<CameraRecord | undefined> {
    return (await this.list()).find(({ camera_id }) => camera_id === cameraId);
  }

  add(camera: NewCamera): Promise<CameraRecord> {
    return this.#current.registry.add(camera);
  }

  update(cameraId: number, change: CameraChange): Promise<CameraRecord> {
    return this.#current.registry.update(cameraId, change);
  }

  remove(cameraId: number): Promise<void> {
    return this.#current.registry.remove(cameraId);
  }

  watch(onChange: () => void): () => void {
    this.#watchers.set(onChange, this.#current.registry.watch(onChange));
    return () => {
      this.#watchers.get(onChange)?.();
      this.#watchers.delete(onChange);
    };
  }

  close(): Promise<void> {
    return this.#current.close();
  }
}
