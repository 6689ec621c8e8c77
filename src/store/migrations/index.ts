import type { Migration } from '../migrate.js';
import { cameras } from './001_cameras.js';
import { outbox } from './002_outbox.js';
import { cameraOverlays } from './003_camera_overlays.js';
import { baselines } from './004_baselines.js';
import { ptzResults } from './005_ptz_results.js';
import { events } from './006_events.js';
import { outboxTargets } from './007_outbox_targets.js';
import { webhookCandidates } from './008_webhook_candidates.js';

/** Every migration, in order. Add at the end; never change one that has been released. */
export const MIGRATIONS: readonly Migration[] = [cameras, outbox, cameraOverlays, baselines, ptzResults, events, outboxTargets, webhookCandidates];
