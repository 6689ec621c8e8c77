/** Offset checks inside the daemon: the engine over its own OpenCV child, and the sets that the monitor has stored. Nothing is opened before it is asked for. */
import type { Config } from '../config/schema.js';
import { loadDevices } from './config/devices.js';
import { openOffsetEngine } from './estimate/engine.js';
import { createOffsetChecks, type OffsetChecks } from './offset_request.js';
import { openFiles, openSettings } from './open.js';
import { storedSets } from './stored_sets.js';

interface Log {
  warn(fields: Record<string, unknown>, message: string): void;
}

export function offsetChecks(config: Config, log: Log): OffsetChecks {
  const sets = storedSets(() => {
    const { settings, places } = openSettings({ config, env: {}, cwd: process.cwd() });
    return { store: openFiles(settings, config.state_dir), devices: loadDevices(places.devices_file, settings) };
  });
  return createOffsetChecks(() => openOffsetEngine({ opencv_options: { log } }), sets);
}
