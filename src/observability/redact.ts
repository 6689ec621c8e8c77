/**
 * What must not be seen in a log, an error or an answer: user-info in URLs, values under telling keys, and the secrets that were registered.
 * Masking is done on whole lines at the writer, so that it does not depend on who logs what how.
 */

export const MASK = '***';

/** Names of fields whose values are masked. `*_key` alone would take `idempotency_key`, which is no secret. */
const SECRET_KEY = /(^|[_-])(pass(word|wd|phrase)?|pwd|token|secret|authorization|credentials?|cookie|encryption[_-]?key|api[_-]?key)$/i;
/**
 * User-info of a URL in any text. A password may hold `/`, `?` or `#`, so everything up to the last `@` before a blank, a quote or a
 * bracket goes. Without an `@` nothing matches.
 */
const USERINFO = /\b([a-z][a-z0-9+.-]{1,15}:\/\/)[^\s"'<>`]*@/gi;
const PARAMETER = /([?&;/](?:pass(?:word|wd|phrase)?|pwd|psw|token|secret|auth|api_?key|user(?:name)?)=)[^&\s"'<>#]+/gi;
/** Shorter secrets would mask half the words of a log. */
const MIN_SECRET_LENGTH = 4;
const MAX_SECRETS = 20_000;
const MAX_DEPTH = 6;

export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** Masks user-info and telling query parameters of every URL in a text. */
export function maskUrls(text: string): string {
  return text.replace(USERINFO, `$1${MASK}@`).replace(PARAMETER, `$1${MASK}`);
}

/** Masks the text under every telling key of a JSON line: bindings of child loggers come past `maskFields`. */
export function maskJson(line: string): string {
  return line.replace(/"([^"\\]{1,64})":"((?:[^"\\]|\\.)+)"/g, (found, key: string) => (isSecretKey(key) ? `"${key}":"${MASK}"` : found));
}

/** A copy of a log record in which values under telling keys are masked; cycles and great depths are cut. */
export function maskFields(value: unknown, depth = 0): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Error || ArrayBuffer.isView(value)) return value;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => maskFields(item, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    copy[key] = isSecretKey(key) && item !== undefined && item !== null && item !== '' ? MASK : maskFields(item, depth + 1);
  }
  return copy;
}

export interface Secrets {
  /** Registers values that are masked wherever they come up, also JSON-escaped or percent-encoded. */
  add(values: Iterable<string | undefined>): void;
  /** Masks registered secrets and URL user-info in a text. */
  mask(text: string): string;
}

/** A set of secrets. Registering is rare, masking is frequent: the pattern is rebuilt on change only. */
export function createSecrets(): Secrets {
  const known = new Set<string>();
  let pattern: RegExp | undefined;
  return {
    add(values) {
      for (const value of values) {
        if (value === undefined || value.length < MIN_SECRET_LENGTH || known.size >= MAX_SECRETS) continue;
        for (const spelling of [value, JSON.stringify(value).slice(1, -1), encodeSafely(value)]) {
          if (known.has(spelling)) continue;
          known.add(spelling);
          pattern = undefined;
        }
      }
    },
    mask(text) {
      const urls = maskUrls(text);
      if (known.size === 0) return urls;
      // The longest first: a secret may be the beginning of another one.
      pattern ??= new RegExp([...known].sort((a, b) => b.length - a.length).map(escapePattern).join('|'), 'g');
      return urls.replace(pattern, MASK);
    },
  };
}

function encodeSafely(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text; // a lone surrogate
  }
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
