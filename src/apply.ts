/**
 * Puts a changed configuration into force on the stages, without touching what streams: see config/changes.ts for the keys. The registry is opened
 * and read again, also where its settings are the same.
 */
import { tuningOf, type Stages } from './stages.js';
import type { Config } from './config/schema.js';

export async function applyConfig(stages: Stages, config: Config): Promise<void> {
  await stages.registry.configure(config);
  stages.config = config;
  stages.options.log.level = config.logging.level;
  stages.frames.tune(tuningOf(config));
  stages.learning.follow(config.staff.roster);
  await stages.cameras.configure({ fps: config.processing.fps, max_concurrent: config.cameras.max_concurrent, priority_threshold: config.cameras.priority_threshold });
}
