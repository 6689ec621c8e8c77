/** Offset checks inside the daemon: the engine over its own OpenCV child, and the sets that the monitor has stored. Nothing is opened before it is asked for. */
import { loadDevices } from './config/devices.js';
import { openOffsetEngine } from './estimate/engine.js';
import { createOffsetChecks, type OffsetChecks } from './offset_request.js';
import { openFiles, openSettings, ptzSecrets, type PtzSources } from './open.js';
import { storedSets } from './stored_sets.js';

interface Log {
  warn(fields: Record<string, unknown>, message: string): void;
}

export function offsetChecks(sources: PtzSources, log: Log, onSecrets: (secrets: string[]) => void): OffsetChecks {
  const sets = storedSets(() => {
    const { settings, places } = openSettings(sources);
    onSecrets(ptzSecrets(settings));
    return { settings, devices: loadDevices(places.devices_file, settings), store: openFiles(settings, sources.config.state_dir) };
  });
  return createOffsetChecks(openOffsetEngine({ opencv_options: { log } }), sets);
}
