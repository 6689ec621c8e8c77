/** The statements for Athena (Iceberg). Names are checked where the settings are read; values are written as literals here. */
import type { ResultRow } from '../types.js';

export interface AthenaNames {
  database: string;
  table: string;
  /** `s3://bucket/folder/` that the tables live in. */
  location: string;
}

export interface AthenaMigration {
  version: number;
  name: string;
  sql: (names: AthenaNames) => string;
}

/** Add at the end; never change one that has been released. */
export const ATHENA_MIGRATIONS: readonly AthenaMigration[] = [
  {
    version: 1,
    name: 'calibration_results',
    sql: ({ database, table, location }) => `CREATE TABLE IF NOT EXISTS \`${database}\`.\`${table}\` (
  deployment_name string,
  device_id string,
  \`timestamp\` timestamp,
  pitch_offset double,
  yaw_offset double,
  roll_offset double,
  mode string,
  capture_positions array<struct<pan:double,tilt:double,zoom:double>>,
  files_location string,
  success boolean,
  failure_log string
)
LOCATION '${location}${table}/'
TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet', 'write_compression'='zstd')`,
  },
  {
    // Hourly runs make a snapshot each: keep a week of them, at least ten.
    version: 2,
    name: 'snapshot_retention',
    sql: ({ database, table }) => `ALTER TABLE \`${database}\`.\`${table}\` SET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds'='604800', 'vacuum_min_snapshots_to_keep'='10')`,
  },
];

export function createDatabaseSql({ database }: AthenaNames): string {
  return `CREATE DATABASE IF NOT EXISTS \`${database}\``;
}

export function migrationsTable({ table }: AthenaNames): string {
  return `${table}_migrations`;
}

export function createMigrationsSql(names: AthenaNames): string {
  return `CREATE TABLE IF NOT EXISTS \`${names.database}\`.\`${migrationsTable(names)}\` (
  version int,
  name string,
  applied_at timestamp
)
LOCATION '${names.location}${migrationsTable(names)}/'
TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet')`;
}

export function appliedSql(names: AthenaNames): string {
  return `SELECT version, name FROM "${names.database}"."${migrationsTable(names)}" ORDER BY version`;
}

export function noteMigrationSql(names: AthenaNames, { version, name }: AthenaMigration, now_s: number): string {
  const table = `"${names.database}"."${migrationsTable(names)}"`;
  return `INSERT INTO ${table} SELECT * FROM (VALUES (${version}, ${text(name)}, ${timestamp(now_s)})) AS fresh (version, name, applied_at) WHERE NOT EXISTS (SELECT 1 FROM ${table} AS old WHERE old.version = fresh.version)`;
}

const COLUMNS = '(deployment_name, device_id, "timestamp", pitch_offset, yaw_offset, roll_offset, mode, capture_positions, files_location, success, failure_log)';

/** All rows of a run in one statement, which adds those that are not there yet: it may be sent again at any time. */
export function insertSql({ database, table }: AthenaNames, rows: readonly ResultRow[]): string {
  const target = `"${database}"."${table}"`;
  return `INSERT INTO ${target}
SELECT * FROM (VALUES
${rows.map(rowSql).join(',\n')}
) AS fresh ${COLUMNS}
WHERE NOT EXISTS (
  SELECT 1 FROM ${target} AS old
  WHERE old.deployment_name = fresh.deployment_name AND old.device_id = fresh.device_id AND old."timestamp" = fresh."timestamp"
)`;
}

function rowSql(row: ResultRow): string {
  const positions = row.capture_positions.map(({ pan, tilt, zoom }) => `ROW(${double(pan)}, ${double(tilt)}, ${double(zoom)})`).join(', ');
  const values = [
    text(row.deployment_name), text(row.device_id), timestamp(row.timestamp_s), double(row.pitch_offset), double(row.yaw_offset), double(row.roll_offset), text(row.mode),
    `CAST(ARRAY[${positions}] AS ARRAY(ROW(pan DOUBLE, tilt DOUBLE, zoom DOUBLE)))`, text(row.files_location), String(row.success), text(row.failure_log.join(' | ')),
  ];
  return `(${values.join(', ')})`;
}

/** A literal; control characters, which Athena refuses or logs badly, become blanks. */
function text(value: string): string {
   
  return `'${value.replace(/[\u0000-\u001f\u007f]+/g, ' ').replaceAll("'", "''")}'`;
}

function double(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError('expected a finite number');
  return `DOUBLE '${value}'`;
}

function timestamp(seconds: number): string {
  return `TIMESTAMP '${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')}'`;
}
