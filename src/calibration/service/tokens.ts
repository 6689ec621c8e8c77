/**
 * Who asks: the bearer token of the main platform (or one minted here) becomes a caller with a role. Keys come from the configuration; where none is set, a
 * secret of this installation's own is made in the state folder, readable by its owner only.
 */
import { createPublicKey, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createRemoteJWKSet, jwtVerify, SignJWT, type JWTPayload, type JWTVerifyOptions, type JWTVerifyResult } from 'jose';
import type { Config } from '../../config/schema.js';
import { messageOf, SightlineError } from '../../errors.js';
import { makeFolder } from '../../store/folder.js';

export const ROLES = ['candidate', 'recording_bot', 'analyzer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Caller {
  /** Subject of the token; `local` for this machine's own user, `api_token` for the holder of the API token. */
  actor: string;
  role: Role;
  /** The one whose data a candidate may touch; null = any. */
  candidate_id: string | null;
}

export type TokenSettings = Pick<Config['calibration'], 'jwt_secret' | 'jwt_key_file' | 'jwks_url' | 'jwt_issuer' | 'jwt_audience'>;

export interface TokenVerifier {
  /** @throws UNAUTHORIZED; never with a part of the token */
  verify(token: string): Promise<Caller>;
}

const SECRET_FILE = 'calibration_jwt_secret';
const CLOCK_TOLERANCE_S = 30;
const JWKS_TIMEOUT_MS = 5_000;

type Check = (token: string, options: JWTVerifyOptions) => Promise<JWTVerifyResult>;

/** @throws CONFIG_INVALID when the key file is unreadable or no public key */
export function createVerifier(settings: TokenSettings, state_dir: string): TokenVerifier {
  const checks = configuredChecks(settings);
  // Without a key of the platform the installation's own secret counts.
  if (checks.length === 0) checks.push(secretCheck(localSecret(state_dir)));
  const options: JWTVerifyOptions = {
    clockTolerance: CLOCK_TOLERANCE_S,
    requiredClaims: ['exp'],
    ...(settings.jwt_issuer === undefined ? {} : { issuer: settings.jwt_issuer }),
    ...(settings.jwt_audience === undefined ? {} : { audience: settings.jwt_audience }),
  };
  return {
    async verify(token) {
      let why = 'it is no JWT';
      for (const check of checks) {
        try {
          return callerOf((await check(token, options)).payload);
        } catch (error) {
          if (error instanceof SightlineError) throw error;
          why = reasonOf(error);
        }
      }
      throw new SightlineError('UNAUTHORIZED', `Authorization: expected a valid token, received one that is refused: ${why}`);
    },
  };
}

function configuredChecks({ jwt_secret, jwt_key_file, jwks_url }: TokenSettings): Check[] {
  const checks: Check[] = [];
  if (jwt_secret !== undefined) checks.push(secretCheck(createSecretKey(Buffer.from(jwt_secret))));
  if (jwt_key_file !== undefined) {
    const key = publicKey(jwt_key_file);
    checks.push((token, options) => jwtVerify(token, key, { ...options, algorithms: [key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256'] }));
  }
  if (jwks_url !== undefined) {
    const keys = createRemoteJWKSet(new URL(jwks_url), { timeoutDuration: JWKS_TIMEOUT_MS });
    checks.push((token, options) => jwtVerify(token, keys, { ...options, algorithms: ['RS256', 'ES256'] }));
  }
  return checks;
}

function secretCheck(secret: KeyObject): Check {
  return (token, options) => jwtVerify(token, secret, { ...options, algorithms: ['HS256'] });
}

function publicKey(file: string): KeyObject {
  try {
    const key = createPublicKey(readFileSync(file));
    if (key.asymmetricKeyType === 'rsa' || (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1')) return key;
    throw new Error(`a key of type ${key.asymmetricKeyType ?? 'unknown'}`);
  } catch (error) {
    throw new SightlineError('CONFIG_INVALID', `calibration.jwt_key_file: expected a readable PEM file with an RSA or P-256 public key, received ${file} (${messageOf(error)})`);
  }
}

function callerOf(payload: JWTPayload & { role?: unknown; candidate_id?: unknown }): Caller {
  const role = ROLES.find((known) => known === payload.role);
  if (role === undefined) throw new SightlineError('UNAUTHORIZED', `Authorization: expected a token whose role is one of ${ROLES.join(', ')}`);
  const actor = typeof payload.sub === 'string' && payload.sub !== '' ? payload.sub.slice(0, 255) : role;
  if (role !== 'candidate') return { actor, role, candidate_id: null };
  const candidate_id = payload.candidate_id ?? payload.sub;
  if (typeof candidate_id !== 'string' || candidate_id === '') throw new SightlineError('UNAUTHORIZED', 'Authorization: expected a candidate\'s token to name the candidate (sub or candidate_id)');
  return { actor, role, candidate_id };
}

/** jose's codes are stable and hold nothing of the token. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words: Record<string, string> = {
    ERR_JWT_EXPIRED: 'it has expired',
    ERR_JWT_CLAIM_VALIDATION_FAILED: 'a claim (exp, nbf, iss, aud) is missing or not as expected',
    ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'its signature is not ours',
    ERR_JOSE_ALG_NOT_ALLOWED: 'its algorithm is not the configured one',
    ERR_JWKS_NO_MATCHING_KEY: 'the key set has no key for it',
    ERR_JWKS_TIMEOUT: 'the key set could not be fetched',
  };
  return words[code] ?? 'it is malformed, or of another kind than the configured keys';
}

/** The installation's own secret; made at the first call. */
export function localSecret(state_dir: string): KeyObject {
  const file = path.join(state_dir, SECRET_FILE);
  makeFolder(state_dir);
  try {
    writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return createSecretKey(Buffer.from(readFileSync(file, 'utf8').trim()));
}

/** Mints a token with the configured HS256 secret, else the installation's own. @throws CONFIG_INVALID where tokens are signed elsewhere */
export async function mintToken(input: { settings: TokenSettings; state_dir: string; role: Role; subject: string; ttl_s: number }): Promise<string> {
  const { settings, role, subject, ttl_s } = input;
  if (settings.jwt_secret === undefined && (settings.jwt_key_file !== undefined || settings.jwks_url !== undefined)) {
    throw new SightlineError('CONFIG_INVALID', 'calibration: expected jwt_secret or no key at all to mint a token here; tokens of this configuration are signed by the platform');
  }
  const key = settings.jwt_secret === undefined ? localSecret(input.state_dir) : createSecretKey(Buffer.from(settings.jwt_secret));
  const now_s = Math.floor(Date.now() / 1000);
  const token = new SignJWT({ role }).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).setSubject(subject).setIssuedAt(now_s).setExpirationTime(now_s + ttl_s);
  if (settings.jwt_issuer !== undefined) token.setIssuer(settings.jwt_issuer);
  if (settings.jwt_audience !== undefined) token.setAudience(settings.jwt_audience);
  return token.sign(key);
}
