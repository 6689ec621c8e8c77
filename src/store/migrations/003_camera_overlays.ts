import type { Migration } from '../migrate.js';

/** Settings of cameras that come from a table of another system which has no column for them. */
export const cameraOverlays: Migration = {
  version: 3,
  name: 'camera_overlays',
  up: `
    CREATE TABLE camera_overlays (
      camera_id    INTEGER PRIMARY KEY,
      transport    TEXT    CHECK (transport IN ('tcp', 'udp')),
      staff_id     INTEGER,
      analysis_fps REAL    CHECK (analysis_fps > 0),
      enabled      INTEGER CHECK (enabled IN (0, 1))
    ) STRICT;
  `,
  down: `DROP TABLE camera_overlays;`,
};
