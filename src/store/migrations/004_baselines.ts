import type { Migration } from '../migrate.js';

/** Baselines of persons and cameras, a row a day, and the anomaly models of cameras; what they hold is encrypted. */
export const baselines: Migration = {
  version: 4,
  name: 'baselines',
  up: `
    CREATE TABLE baseline_days (
      subject    TEXT    NOT NULL,
      day        TEXT    NOT NULL CHECK (day LIKE '____-__-__'),
      box        BLOB    NOT NULL,
      bytes      INTEGER NOT NULL,
      updated_ms INTEGER NOT NULL,
      PRIMARY KEY (subject, day)
    ) STRICT;
    CREATE INDEX baseline_days_day ON baseline_days (day);
    CREATE TABLE baseline_subjects (
      subject  TEXT PRIMARY KEY,
      sent_day TEXT NOT NULL
    ) STRICT;
    CREATE TABLE baseline_models (
      camera_id  INTEGER PRIMARY KEY,
      box        BLOB    NOT NULL,
      updated_ms INTEGER NOT NULL
    ) STRICT;
  `,
  down: `
    DROP TABLE baseline_models;
    DROP TABLE baseline_subjects;
    DROP TABLE baseline_days;
  `,
};
