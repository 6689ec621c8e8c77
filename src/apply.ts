/**
 * Puts a changed configuration into force on the stages, without touching what streams: see config/changes.ts for the keys. The registry is opened
 * and read again, also where its settings are the same.
 */
import type { Stages } from './stages.js';
import type { Config } from './config/schema.js';

export async function applyConfig(stages: Stages, config: Config): Promise<void> {
  await stages.registry.configure(config);
  stages.config = config;
  stages.options.log.level = config.logging.level;
  const { confidence_threshold, alert_threshold } = config.detection;
  stages.frames.tune({ confidence_threshold, alert_threshold });
  stages.learning.follow(config.staff.roster);
  await stages.cameras.configure({ fps: config.processing.fps, max_concurrent: config.cameras.max_concurrent, priority_threshold: config.cameras.priority_threshold });
}
