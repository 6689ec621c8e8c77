/** configs/calibration_monitoring.ini, made from its schema; a test compares them. */
import { MonitoringSchema } from './settings.js';

const INTRO = `; PTZ calibration monitoring. Every key is here: those with a default at their default, the others commented out. docs/PTZ.md explains the whole.
; An empty value counts as not set. Unknown keys are errors, and all problems are listed at once. Made by \`sightline docs\`.
`;

export function renderSettingsSample(): string {
  const lines = Object.entries(MonitoringSchema.properties).flatMap(([section, schema]) => [
    '',
    `[${section}]`,
    `; ${String(schema.description)}`,
    ...Object.entries(schema.properties as Record<string, { description?: string; default?: string | number | boolean }>).flatMap(([key, leaf]) => [`; ${leaf.description ?? ''}`, leaf.default === undefined ? `; ${key} =` : `${key} = ${String(leaf.default)}`]),
  ]);
  return INTRO + lines.join('\n') + '\n';
}
