/** The three files of a candidate: their names, and where readers look for them. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SightlineError } from '../errors.js';
import { CSV_BYTES_MAX, readCalibrationCsv } from './csv_read.js';
import { calibrationCsv, type CsvForm } from './csv_write.js';
import { readTransformMatrix, transformMatrixNpz } from './npz.js';
import { completeScreen, pythonTimestamp, readScreen, screenInfoText, type ScreenDraft } from './screen_info.js';
import type { CalibrationFiles, CalibrationTable, ScreenInfo, TransformMatrix } from './types.js';

const NAME_BYTES_MAX = 200;
/** Calibrations name people: readable by their owner alone. */
const FILE_MODE = 0o600;
const MICROS = 1e6;

/** @throws CALIBRATION_CANDIDATE_INVALID where the id cannot be part of a file name. */
export function fileNames(candidate_id: string): { screen_info: string; calibration: string; transform_matrix: string } {
  const fault = candidateFault(candidate_id);
  if (fault !== undefined) throw new SightlineError('CALIBRATION_CANDIDATE_INVALID', `candidate_id: ${fault}`);
  return { screen_info: `${candidate_id}_screen_info.json`, calibration: `${candidate_id}_calibration.csv`, transform_matrix: `${candidate_id}_transform_matrix.npz` };
}

function candidateFault(id: string): string | undefined {
  if (id === '') return 'expected at least one character';
  if (Buffer.byteLength(id) > NAME_BYTES_MAX) return `expected at most ${NAME_BYTES_MAX} bytes, received ${Buffer.byteLength(id)}`;
  if (/[/\\]/.test(id) || [...id].some((character) => character.charCodeAt(0) < 0x20)) return 'expected no slash, backslash or control character';
  return id.startsWith('.') ? 'expected another first character than a point' : undefined;
}

/** The files of a finished calibration. */
export function calibrationFiles(calibration: { table: CalibrationTable; screen: ScreenInfo; matrix: TransformMatrix; csv?: CsvForm }): CalibrationFiles {
  const names = fileNames(calibration.table.candidate_id);
  return {
    screen_info: { name: names.screen_info, text: screenInfoText(calibration.screen) },
    calibration: { name: names.calibration, text: calibrationCsv(calibration.table, calibration.csv) },
    transform_matrix: { name: names.transform_matrix, bytes: transformMatrixNpz(calibration.matrix) },
  };
}

/** A screen's missing parts filled in; where its time is missing, it is that of the last row. */
export function screenOf(draft: ScreenDraft, table: CalibrationTable): ScreenInfo {
  const width = table.rows === 0 ? 0 : table.values.length / table.rows;
  const last_s = table.rows === 0 ? 0 : (table.values[(table.rows - 1) * width] ?? 0);
  const time_us = Math.abs(last_s) < 1e11 ? Math.round(last_s * MICROS) : 0;
  return completeScreen(draft, table.candidate_id, pythonTimestamp(time_us));
}

/** Writes the files into `folder`, each in one step, so that a reader never meets half of one. @returns their paths. */
export function writeFiles(folder: string, files: CalibrationFiles): string[] {
  const { screen_info, calibration, transform_matrix } = files;
  const contents: [string, string | Buffer][] = [[screen_info.name, screen_info.text], [calibration.name, calibration.text], [transform_matrix.name, transform_matrix.bytes]];
  return contents.map(([name, content]) => writeWhole(folder, name, content));
}

function writeWhole(folder: string, name: string, content: string | Buffer): string {
  const file = path.join(folder, name);
  const part = `${file}.${process.pid}.part`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(part, content, { mode: FILE_MODE, flush: true });
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw fileError(file, error);
  }
  return file;
}

/** A file's bytes. @throws CALIBRATION_FILE: missing, unreadable, or larger than such a file can be. */
export function readBounded(file: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > CSV_BYTES_MAX) throw new SightlineError('CALIBRATION_FILE', `${file}: expected at most ${CSV_BYTES_MAX} bytes, received ${size}`);
    return readFileSync(file);
  } catch (error) {
    throw error instanceof SightlineError ? error : fileError(file, error);
  }
}

export interface ReadCalibration {
  table: CalibrationTable;
  screen: ScreenDraft;
  matrix: TransformMatrix;
  /** The bytes as they were found. */
  raw: { screen_info: Buffer; calibration: Buffer; transform_matrix: Buffer };
}

/**
 * Reads a candidate's files where the analyzers look: `folder/{candidate}/`, then `folder`.
 * @throws CALIBRATION_FILE where one is missing, or the code of the reader whose form is hurt.
 */
export function readFiles(folder: string, candidate_id: string): ReadCalibration {
  const names = fileNames(candidate_id);
  const own = path.join(folder, candidate_id);
  const place = existsSync(path.join(own, names.calibration)) ? own : folder;
  const raw = {
    screen_info: readBounded(path.join(place, names.screen_info)),
    calibration: readBounded(path.join(place, names.calibration)),
    transform_matrix: readBounded(path.join(place, names.transform_matrix)),
  };
  return parseFiles(candidate_id, raw);
}

/** The three files' contents. @throws the code of the reader whose form is hurt, CALIBRATION_CANDIDATE_INVALID for rows of somebody else */
export function parseFiles(candidate_id: string, raw: ReadCalibration['raw']): ReadCalibration {
  const table = readCalibrationCsv(raw.calibration.toString());
  if (table.candidate_id !== '' && table.candidate_id !== candidate_id) {
    throw new SightlineError('CALIBRATION_CANDIDATE_INVALID', 'calibration.csv: candidate_id: expected the candidate of the file name, received another one');
  }
  return { table: { ...table, candidate_id }, screen: readScreen(raw.screen_info.toString()), matrix: readTransformMatrix(raw.transform_matrix), raw };
}

function fileError(file: string, error: unknown): SightlineError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const words: Record<string, string> = { ENOENT: 'there is no such file', EACCES: 'no permission', EISDIR: 'expected a file, found a folder', ENOTDIR: 'part of its path is not a folder', ENOSPC: 'the disk is full' };
  return new SightlineError('CALIBRATION_FILE', `${file}: ${words[code] ?? code}`, { cause: error });
}
