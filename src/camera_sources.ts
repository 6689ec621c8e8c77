/** Cameras from several places, as one. */
import type { CameraSource } from './cameras/supervisor.js';

/** The registry's cameras and others; where both have an id the registry's wins. */
export function mergeSources(registry: CameraSource, extra: CameraSource): CameraSource {
  return {
    async list() {
      const own = await registry.list();
      const ids = new Set(own.map((camera) => camera.camera_id));
      return [...own, ...(await extra.list()).filter((camera) => !ids.has(camera.camera_id))];
    },
    watch(onChange) {
      const stops = [registry.watch(onChange), extra.watch(onChange)];
      return () => { for (const stop of stops) stop(); };
    },
  };
}
