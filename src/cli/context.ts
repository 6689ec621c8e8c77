/** What every command gets, and how it answers: results on stdout, one line with a code on stderr, and the exit codes of the command line. */
import { SightlineError, type ErrorCode } from '../errors.js';

/** 0 done, 1 failed, 2 bad usage or bad input, 3 partly done. */
export type ExitCode = 0 | 1 | 2 | 3;

/** The parts of `process` that commands use. */
export interface CliIo {
  env: Readonly<Record<string, string | undefined>>;
  cwd(): string;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

export interface CliContext {
  io: CliIo;
  /** A single JSON document on stdout and nothing else there. */
  json(value: unknown): void;
  line(text: string): void;
  exit: { code: ExitCode };
}

export function createContext(io: CliIo): CliContext {
  return {
    io,
    json: (value) => void io.stdout.write(JSON.stringify(value, null, 2) + '\n'),
    line: (text) => void io.stdout.write(text + '\n'),
    exit: { code: 0 },
  };
}

/** Faults of what the user gave; everything else is a failure of ours or of the machine. */
const BAD_INPUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CONFIG_INVALID', 'REQUEST_INVALID', 'CAMERA_INVALID', 'CAMERA_EXISTS', 'CAMERA_NOT_FOUND', 'MODEL_MISSING', 'MODEL_FORMAT', 'MODEL_MANIFEST', 'MODEL_DECODER', 'MODEL_CONVERT', 'SERVICE_INSTALL', 'PTZ_INPUT', 'IMAGE_UNREADABLE', 'IMAGE_SIZE',
  'CALIBRATION_CSV_INVALID', 'CALIBRATION_SCREEN_INVALID', 'CALIBRATION_NPZ_INVALID', 'CALIBRATION_QUERY_INVALID', 'CALIBRATION_CANDIDATE_INVALID', 'CALIBRATION_FILE',
  'CALIBRATION_ROW_INVALID', 'CALIBRATION_NOT_FOUND', 'CALIBRATION_NO_ROWS', 'CALIBRATION_TARGET_EMPTY', 'CALIBRATION_NOT_FINITE', 'CALIBRATION_UNDETERMINED',
  'PTZ_SETTINGS_INVALID', 'PTZ_DEVICES_INVALID', 'PTZ_DEVICE_UNKNOWN',
]);

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof SightlineError && BAD_INPUT.has(error.code) ? 2 : 1;
}

/** `sightline: CODE: what was expected, where, and what came`. */
export function errorLine(error: unknown): string {
  if (error instanceof SightlineError) return `sightline: ${error.code}: ${error.message}\n`;
  return `sightline: INTERNAL: ${error instanceof Error ? error.message : String(error)}\n`;
}
