/** Rules beyond type and bounds: by the name a field gives in `rule`, and over several fields. Each answers what was expected, or undefined. */
import type { Config } from './schema.js';

export const RULES: Record<string, (value: string) => string | undefined> = {
  http_url: (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    return url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:') ? undefined : 'an http:// or https:// URL';
  },
  // Header values are latin1 without control characters; a token with a line break would end the header.
  header_value: (value) => (/^[\x21-\x7e]+$/.test(value) ? undefined : 'printable ASCII characters without blanks'),
  timezone: (value) => (isTimezone(value) ? undefined : 'an IANA time zone such as Pacific/Auckland'),
  time_of_day: (value) => (/^([01]?\d|2[0-3]):[0-5]\d$/.test(value) ? undefined : 'a time of day such as 08:30'),
  api_token: (value) => (/^[\x21-\x7e]{16,}$/.test(value) ? undefined : 'at least 16 printable ASCII characters without blanks'),
  eye_source: (value) => (/^(webcam(:\d)?|camera:[1-9]\d{0,9})$/.test(value) ? undefined : '"webcam", "webcam:N" (0 to 9) or "camera:ID"'),
  jwt_secret: (value) => (Buffer.byteLength(value) >= 32 ? undefined : 'at least 32 bytes'),
  sealing_keys: (value) => (sealingKeys(value) === undefined ? 'id=key pairs separated by commas, id of letters and digits, key 32 bytes in base64 (44 characters)' : undefined),
  encryption_key: (value) => (encryptionKey(value) === undefined ? '32 bytes, or 44 characters of base64 that stand for 32 bytes' : undefined),
};

function isTimezone(value: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: value });
    return true;
  } catch {
    return false;
  }
}

/**
 * The 32 bytes of FRAUD_ENCRYPTION_KEY. The PHP service takes exactly 32 bytes as they are, so 32 characters are never read as hex; its
 * key generator prints 44 characters of base64.
 */
export function encryptionKey(value: string): Buffer | undefined {
  const raw = Buffer.from(value, 'utf8');
  if (raw.length === 32) return raw;
  if (!/^[A-Za-z0-9+/]{43}=$/.test(value)) return undefined;
  const decoded = Buffer.from(value, 'base64');
  return decoded.length === 32 ? decoded : undefined;
}

/** The keys of calibration.encryption_keys by id, in their order; undefined when the text is malformed. */
export function sealingKeys(value: string): Map<string, Buffer> | undefined {
  const keys = new Map<string, Buffer>();
  for (const pair of value.split(',')) {
    const [, id, text] = /^\s*([A-Za-z0-9]{1,32})=([A-Za-z0-9+/]{43}=)\s*$/.exec(pair) ?? [];
    if (id === undefined || text === undefined || keys.has(id)) return undefined;
    keys.set(id, Buffer.from(text, 'base64'));
  }
  return keys.size === 0 ? undefined : keys;
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/** Rules over several fields of a configuration whose fields are each right. */
export function crossProblems(config: Config): string[] {
  const problems: string[] = [];
  const { capture, server, eye_tracking } = config;
  if (capture.backoff_max_ms < capture.backoff_min_ms)
    problems.push(`capture.backoff_max_ms: expected at least capture.backoff_min_ms (${capture.backoff_min_ms}), received ${capture.backoff_max_ms}`);
  if (eye_tracking.retry_max_ms < eye_tracking.retry_min_ms)
    problems.push(`eye_tracking.retry_max_ms: expected at least eye_tracking.retry_min_ms (${eye_tracking.retry_min_ms}), received ${eye_tracking.retry_max_ms}`);
  for (const [index, origin] of eye_tracking.allowed_origins.entries()) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) problems.push(`eye_tracking.allowed_origins[${index}]: expected an origin such as https://app.example.org, received ${origin}`);
  }
  if (!isLoopback(server.host) && server.api_token === undefined)
    problems.push(`server.api_token: expected a token because server.host "${server.host}" is not a loopback address, received none (set SIGHTLINE_API_TOKEN)`);
  if (config.cameras.load_from_database && (config.database.host !== undefined || config.database.name !== undefined) && config.database.user === undefined)
    problems.push('database.user: expected a user because a database is configured (DB_HOST or DB_NAME), received none (set DB_USER, or cameras.load_from_database to false)');
  const { webhook_url, webhook_secret } = config.calibration;
  if (webhook_url !== undefined && webhook_secret === undefined)
    problems.push('calibration.webhook_secret: expected a secret because calibration.webhook_url is set, received none (set CALIBRATION_WEBHOOK_SECRET)');
  return problems;
}

/** What works but should be known: one sentence each, no secrets. */
export function configWarnings(config: Config): string[] {
  const warnings: string[] = [];
  const { callback_url, auth_token } = config.php_system;
  if (callback_url === undefined) return ['php_system.callback_url is not set: results are not posted to anybody'];
  const url = new URL(callback_url);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) warnings.push('php_system.callback_url is http:// to another machine: the token travels unencrypted, use https://');
  if (url.protocol === 'https:' && config.php_system.allow_self_signed) warnings.push('php_system.allow_self_signed is set: the certificate of the receiver is not checked, anybody in between can read the token; for development only');
  if (auth_token === undefined) warnings.push('php_system.auth_token is not set: the receiver will refuse callbacks that it wants a token for');
  return warnings;
}
