/** Reads what a test file prints (TAP 13 or 14) and says what passed, failed and was skipped. Pure. */

export interface Skipped {
  name: string;
  reason: string;
}

export interface Failed {
  name: string;
  /** The lines of that test: its assertions and diagnostics. */
  output: string;
}

export interface FileResult {
  passed: number;
  failed: Failed[];
  skipped: Skipped[];
}

/** How the process of the file ended. */
export interface Ending {
  code: number | null;
  signal: string | null;
  /** It ran past its time limit, in seconds. */
  timed_out_s?: number;
}

interface Point {
  ok: boolean;
  /** 0 = a test of the file itself, 1 = inside a subtest, ... */
  depth: number;
  name: string;
  /** The reason, when the point is a skip. */
  skip?: string;
}

const POINT = /^( *)(not ok|ok)\b(?: +(\d+))?(?: +-)? *(.*)$/;
const PLAN = /^1\.\.(\d+)(?: *# *SKIP\b *(.*))?$/i;
const DIRECTIVE = /\s#\s*(skip|todo)\b:?\s*(.*)$/i;
const TIME = /\s*#\s*time=\S+\s*$/;
const YAML = /^( +)---$/;

/**
 * Counts the tests of a file by their top-level points; a skip inside a test is counted and named, too. Whatever keeps the file from being
 * trusted (no plan, a plan that doesn't fit, a bail-out, an exit code, a signal, the time limit) is one more failure.
 */
export function readTap(file: string, text: string, ending: Ending): FileResult {
  const result: FileResult = { passed: 0, failed: [], skipped: [] };
  let plan: number | undefined;
  let points = 0;
  let bail: string | undefined;
  let before: string[] = []; // lines since the last top-level point: the subtest that the next one closes
  let failure: string[] = []; // lines of the last top-level point when it failed
  let yamlEnd: string | undefined;
  const closeFailure = (): void => {
    const newest = result.failed.at(-1);
    if (newest !== undefined && failure.length > 0) newest.output = failure.join('\n');
    failure = [];
  };
  for (const line of text.split('\n')) {
    const yaml = yamlEnd ?? YAML.exec(line)?.[1];
    if (yaml !== undefined) {
      // Diagnostics may hold anything, also what looks like a test point.
      (yaml.length < 4 && failure.length > 0 ? failure : before).push(line);
      yamlEnd = line === `${yaml}...` ? undefined : yaml;
      continue;
    }
    if (/^ *Bail out!/i.test(line)) bail ??= line.trim();
    const planned = PLAN.exec(line);
    if (planned !== null) {
      plan = Number(planned[1]);
      if (plan === 0) result.skipped.push({ name: file, reason: planned[2] || 'nothing to test' });
    }
    const point = readPoint(line);
    if (point?.skip !== undefined) result.skipped.push({ name: `${file}: ${point.name}`, reason: point.skip });
    if (point?.depth !== 0) {
      before.push(line);
      continue;
    }
    closeFailure();
    points += 1;
    if (point.skip === undefined && point.ok) result.passed += 1;
    if (point.skip === undefined && !point.ok) {
      result.failed.push({ name: `${file}: ${point.name}`, output: '' });
      failure = [...before.filter((one) => one.trim() !== ''), line];
    }
    before = [];
  }
  closeFailure();
  const distrust = reasonsForDistrust({ plan, points, bail, failures: result.failed.length }, ending);
  // What came after the last finished test is what the file was doing when it ended.
  if (distrust !== undefined) result.failed.push({ name: file, output: [distrust, ...before.filter((one) => one.trim() !== '')].join('\n') });
  return result;
}

function readPoint(line: string): Point | undefined {
  const found = POINT.exec(line);
  if (found === null) return undefined;
  const [, indent = '', word, number = '', rest = ''] = found;
  const text = ` ${rest.replace(TIME, '').replace(/\s*\{$/, '')}`;
  const directive = DIRECTIVE.exec(text);
  const name = text.slice(0, directive?.index).trim() || `test ${number}`;
  const point = { ok: word === 'ok', depth: Math.floor(indent.length / 4), name };
  if (directive === null) return point;
  const reason = directive[2] === undefined || directive[2] === '' ? 'no reason given' : directive[2];
  return { ...point, skip: directive[1]?.toLowerCase() === 'todo' ? `to do: ${reason}` : reason };
}

function reasonsForDistrust(
  { plan, points, bail, failures }: { plan: number | undefined; points: number; bail: string | undefined; failures: number }, { code, signal, timed_out_s }: Ending,
): string | undefined {
  if (timed_out_s !== undefined) return `ran longer than its limit of ${timed_out_s} s and was killed`;
  if (bail !== undefined) return bail;
  if (signal !== null) return `was ended by ${signal}`;
  if (plan === undefined) return `printed no plan (exit code ${code})`;
  if (plan !== points) return `planned ${plan} tests, ran ${points} (exit code ${code})`;
  if (code !== 0 && failures === 0) return `every test passed but the exit code was ${code}`;
  return undefined;
}
