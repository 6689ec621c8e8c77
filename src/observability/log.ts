/**
 * The logger: pino, with two fences before a secret. Values under telling keys are masked in the record; then the finished line goes through
 * the registered secrets and the user-info of URLs, whoever wrote it. JSON lines by default, plain lines for a person at a terminal.
 */
import { pino, stdSerializers, type Logger } from 'pino';
import { maskFields, maskJson, type Secrets } from './redact.js';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** Where finished lines go, each with its line break. */
export interface LogSink {
  write(line: string): unknown;
}

export interface LogOptions {
  level: LogLevel;
  /** auto = lines when `tty`, else JSON. */
  format: 'auto' | 'json' | 'line';
  tty: boolean;
  sink: LogSink;
  secrets: Secrets;
}

export function createLog({ level, format, tty, sink, secrets }: LogOptions): Log {
  const lines = format === 'line' || (format === 'auto' && tty);
  const destination = {
    write(json: string) {
      const masked = secrets.mask(maskJson(json));
      sink.write(lines ? toLine(masked) : masked);
    },
  };
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: errorFields, error: errorFields },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => maskFields(fields) as Record<string, unknown>,
      },
    },
    destination,
  );
}

/** Type, code, message and stack of an error and of what caused it. Other properties are left out: they may hold anything. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = stdSerializers.err(error);
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { type, ...code, message, stack };
}

const SHOWN_ELSEWHERE = new Set(['level', 'time', 'msg', 'stage', 'err', 'error']);

/** `12:00:01 WARN  capture: camera stalled (camera_id=3, code=CAPTURE_TIMEOUT)`, the stack of an error below it. */
export function toLine(json: string): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(json) as Record<string, unknown>;
  } catch {
    return json; // masking went through an escape: better a raw line than none
  }
  const time = text(record.time).slice(11, 19);
  const level = text(record.level).toUpperCase().padEnd(5);
  const stage = record.stage === undefined ? '' : `${text(record.stage)}: `;
  const fields = Object.entries(record)
    .filter(([key]) => !SHOWN_ELSEWHERE.has(key))
    .map(([key, value]) => `${key}=${text(value)}`);
  const error = (record.err ?? record.error) as { message?: string; stack?: string } | undefined;
  const stack = error === undefined ? '' : `\n${indent(error.stack ?? error.message ?? text(error))}`;
  return `${time} ${level} ${stage}${text(record.msg)}${fields.length === 0 ? '' : ` (${fields.join(', ')})`}${stack}\n`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}

function indent(lines: string): string {
  return lines.split('\n').map((line) => `  ${line}`).join('\n');
}
