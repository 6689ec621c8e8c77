/**
 * Stream URLs as operators type them. Passwords come unescaped (`@`, `:`, `/`, `#` and `?` in them), so this is not `new URL()`:
 * the credentials end at the last `@` before the first `/`; when what stands before that `/` is no host at all, a `/` belongs to the
 * password and the credentials end at the last `@` that a host follows. `rtsp://a:1/b@c/` could be read in two ways and is refused. What is
 * shown to people leaves out everything before the last `@` of all, wherever it stands.
 */
import { domainToASCII, fileURLToPath } from 'node:url';
import { SightlineError } from '../errors.js';
import type { SourceKind } from '../capture/types.js';

export interface StreamUrl {
  kind: SourceKind;
  /** For libav: percent-encoded URL, device path, file path or filter graph. Has the credentials. */
  native_url: string;
  /** For people: no credentials. */
  shown: string;
  /** Spellings of the credentials that must not appear in a log; may be empty. */
  secrets: string[];
}

const MAX_LENGTH = 4096;
const FORMS = 'rtsp://host/path, rtsps://host/path, /dev/videoN, file:///path, /path, ./path or lavfi:graph';
const PARAMETER = /\b((?:pass(?:word|wd|phrase)?|pwd|psw|token|secret|auth|key|user(?:name)?)=)[^&/?#]*/gi;

/** `field` names where the URL stands, for the message. Throws CAMERA_INVALID; the message has no part of the credentials. */
export function parseStreamUrl(typed: string, field = 'url'): StreamUrl {
  const url = typed.trim();
  if (url === '') throw invalid(field, FORMS, 'nothing');
  if (url.length > MAX_LENGTH) throw invalid(field, `at most ${MAX_LENGTH} characters`, `${url.length} characters`);
   
  if (/[\u0000-\u001f\u007f]/.test(url)) throw invalid(field, 'no control characters', 'a URL with a control character');
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return parsePath(url, field);
  switch (scheme) {
    case 'rtsp':
    case 'rtsps':
      return parseNetwork(scheme, url, field);
    case 'v4l2':
      return parseDevice(url.slice('v4l2:'.length).replace(/^\/\//, ''), field);
    case 'file':
      return parseFile(url, field);
    case 'lavfi':
      return parseGraph(url.slice('lavfi:'.length).replace(/^\/\//, ''), field);
    default:
      throw invalid(field, FORMS, `a URL that starts with ${scheme}:`);
  }
}

/** The URL without its credentials, also when it does not parse. */
export function shownUrl(typed: string): string {
  try {
    return parseStreamUrl(typed).shown;
  } catch {
    const scheme = /^([a-z][a-z0-9+.-]{0,15}):/i.exec(typed.trim())?.[1];
    return scheme === undefined ? '(not a stream URL)' : `${scheme.toLowerCase()}:(malformed)`;
  }
}

function parseNetwork(scheme: string, url: string, field: string): StreamUrl {
  const rest = url.slice(scheme.length + 1);
  if (!rest.startsWith('//')) throw invalid(field, `${scheme}://host/path`, `${scheme}: without //`);
  const { userinfo, tail } = splitUserinfo(rest.slice(2), field, scheme);
  const end = tail.search(/[/?#]/);
  const authority = end < 0 ? tail : tail.slice(0, end);
  const path = end < 0 ? '' : tail.slice(end);
  const host = parseHost(authority);
  if (host === undefined) throw invalid(field, `${scheme}://host[:port]/path with a port of 1..65535`, `a URL whose host or port is malformed`);
  const credentials = userinfo === undefined ? undefined : splitCredentials(userinfo);
  const login = credentials === undefined ? '' : credentials.map(encodePart).join(':') + '@';
  const later = path.lastIndexOf('@');
  // An `@` in the path: perhaps a password with an unescaped `/`, split too early. Nothing before it is shown.
  const target = later < 0 ? host + path : path.slice(later + 1);
  const hidden = login !== '' || later >= 0;
  return {
    kind: 'rtsp',
    native_url: `${scheme}://${login}${host}${encodePath(path)}`,
    shown: `${scheme}://${hidden ? '***@' : ''}${target.replace(PARAMETER, '$1***')}`,
    secrets: secretsOf(userinfo, credentials, path),
  };
}

/** `rest` is what follows `//`. */
function splitUserinfo(rest: string, field: string, scheme: string): { userinfo: string | undefined; tail: string } {
  const slash = rest.indexOf('/');
  const head = slash < 0 ? rest : rest.slice(0, slash);
  const at = head.lastIndexOf('@');
  if (at >= 0) return { userinfo: rest.slice(0, at), tail: rest.slice(at + 1) };
  const later = rest.lastIndexOf('@');
  if (later < 0) return { userinfo: undefined, tail: rest };
  const afterIsHost = parseHost(/^[^/?#]*/.exec(rest.slice(later + 1))?.[0] ?? '') !== undefined;
  if (parseHost(head) === undefined) {
    if (!afterIsHost) throw invalid(field, `${scheme}://user:password@host[:port]/path`, 'a URL whose host or port is malformed');
    return { userinfo: rest.slice(0, later), tail: rest.slice(later + 1) };
  }
  // A name without a dot and digits: `user:1234` of a password `1234/...`, or `host:port`?
  if (/^[^.[]+:\d+$/.test(head) && !head.startsWith('localhost:') && afterIsHost)
    throw invalid(field, `${scheme}:// with "/" in a password written %2F and "@" in a path written %40`, 'a URL that can be read in two ways');
  return { userinfo: undefined, tail: rest };
}

/** `host[:port]` in the spelling for libav; undefined when it is none. */
function parseHost(authority: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+(?:%25[\w.-]+)?\]|[^\s:/?#@[\]%]+)(?::(\d{1,5}))?$/iu.exec(authority);
  if (match === null) return undefined;
  const port = match[2];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined;
  const name = match[1] ?? '';
  const host = name.startsWith('[') ? name : toAscii(name);
  return host === undefined ? undefined : port === undefined ? host : `${host}:${port}`;
}

/** Underscores are common in the names of cameras in a LAN though DNS has none. */
function toAscii(name: string): string | undefined {
   
  const ascii = /^[\x00-\x7f]*$/.test(name) ? name : domainToASCII(name);
  return /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?$/i.test(ascii) && !ascii.includes('..') ? ascii : undefined;
}

function splitCredentials(userinfo: string): string[] {
  const colon = userinfo.indexOf(':');
  return colon < 0 ? [userinfo] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
}

/** Percent-encodes all but unreserved characters; what already is a `%XX` stays. */
function encodePart(part: string): string {
  return part.replace(/%[0-9a-f]{2}|[^A-Za-z0-9\-._~]/giu, (found) => (found.length === 3 && found.startsWith('%') ? found : percent(found)));
}

function encodePath(path: string): string {
  return path.replace(/[^\x21-\x7e]|[<>"`{}|\\^]/gu, percent);
}

function percent(character: string): string {
  return [...Buffer.from(character, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function secretsOf(userinfo: string | undefined, credentials: string[] | undefined, path: string): string[] {
  const found = new Set<string>();
  const password = credentials?.[1];
  if (userinfo !== undefined) found.add(userinfo).add((credentials ?? []).map(encodePart).join(':'));
  if (password !== undefined) found.add(password).add(encodePart(password)).add(decodeSafely(password));
  for (const [parameter] of path.matchAll(PARAMETER)) found.add(parameter.slice(parameter.indexOf('=') + 1));
  found.delete('');
  return [...found];
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parsePath(url: string, field: string): StreamUrl {
  if (url.startsWith('/dev/')) return parseDevice(url, field);
  if (!/^\.{0,2}\//.test(url)) throw invalid(field, FORMS, 'a text that is none of these');
  return { kind: 'file', native_url: url, shown: url, secrets: [] };
}

function parseDevice(path: string, field: string): StreamUrl {
  const device = /^\d{1,3}$/.test(path) ? `/dev/video${path}` : path;
  if (!/^\/dev\/(video\d{1,3}|v4l\/by-(id|path)\/[\w.:+-]+)$/.test(device)) throw invalid(field, '/dev/videoN or /dev/v4l/by-id/NAME', 'another device path');
  return { kind: 'v4l2', native_url: device, shown: device, secrets: [] };
}

function parseFile(url: string, field: string): StreamUrl {
  let path: string;
  try {
    path = fileURLToPath(new URL(url));
  } catch {
    throw invalid(field, 'file:///absolute/path', 'a file URL that names no local file');
  }
  return { kind: 'file', native_url: path, shown: path, secrets: [] };
}

function parseGraph(graph: string, field: string): StreamUrl {
  if (graph === '') throw invalid(field, 'lavfi:graph, for example lavfi:testsrc=size=640x360:rate=6', 'an empty graph');
  return { kind: 'lavfi', native_url: graph, shown: `lavfi:${graph}`, secrets: [] };
}

function invalid(field: string, expected: string, received: string): SightlineError {
  return new SightlineError('CAMERA_INVALID', `${field}: expected ${expected}, received ${received}`);
}
