/** The section `calibration` of the configuration: the web calibration and its database, tokens, keys and limits. */
import { Type, type Static } from '@sinclair/typebox';
import { bool, int, oneOf, optionalInt, optionalText } from './fields.js';

const closed = { additionalProperties: false } as const;

export const Calibration = Type.Object(
  {
    enabled: bool('serve the web calibration', true),
    database: Type.Object(
      {
        host: optionalText('MySQL host; without it database.host', { env: ['CALIBRATION_DB_HOST'] }),
        port: optionalInt('MySQL port; without it database.port', { min: 1, max: 65_535, env: ['CALIBRATION_DB_PORT'] }),
        user: optionalText('MySQL user; without it database.user', { env: ['CALIBRATION_DB_USER'] }),
        password: optionalText('MySQL password; without it database.password', { env: ['CALIBRATION_DB_PASSWORD', 'CALIBRATION_DB_PASS'], secret: true }),
        name: optionalText('MySQL database; without it database.name, else calibration_db', { env: ['CALIBRATION_DB_NAME'] }),
        pool_size: int('connections', { default: 10, min: 1, max: 100 }),
      },
      { ...closed, description: 'the calibration tables; without any MySQL database an embedded one' },
    ),
    auth: oneOf('required = every call needs a token; auto = calls without one are taken as of this machine\'s own user while host is a loopback address and no key and no API token is set', ['auto', 'required'], 'auto', {
      env: ['CALIBRATION_AUTH'],
    }),
    jwt_secret: optionalText('secret of HS256 tokens, at least 32 bytes', { env: ['CALIBRATION_JWT_SECRET'], secret: true, rule: 'jwt_secret' }),
    jwt_key_file: optionalText('PEM file with the public key of RS256 or ES256 tokens', { env: ['CALIBRATION_JWT_KEY_FILE'] }),
    jwks_url: optionalText('URL of the key set (JWKS) of RS256 or ES256 tokens', { env: ['CALIBRATION_JWKS_URL'], rule: 'http_url' }),
    jwt_issuer: optionalText('issuer that tokens must name', { env: ['CALIBRATION_JWT_ISSUER'] }),
    jwt_audience: optionalText('audience that tokens must name', { env: ['CALIBRATION_JWT_AUDIENCE'] }),
    consent: oneOf('explicit = a client has to say that consent was given; start = calling calibration/start counts; auto = start for this machine\'s own user, else explicit', ['auto', 'explicit', 'start'], 'auto', {
      env: ['CALIBRATION_CONSENT'],
    }),
    retention_days: int('days after which calibrations are deleted', { default: 90, min: 1, max: 3_650, env: ['CALIBRATION_RETENTION_DAYS'] }),
    audit_retention_days: int('days after which audit entries are deleted', { default: 730, min: 30, max: 36_500 }),
    encryption_keys: optionalText('keys that seal stored calibrations, id=key separated by commas, each key 32 bytes in base64; the first seals, all open', {
      env: ['CALIBRATION_ENCRYPTION_KEYS'],
      secret: true,
      rule: 'sealing_keys',
    }),
    webhook_url: optionalText('URL that completed and failed calibrations are posted to', { env: ['CALIBRATION_WEBHOOK_URL'], rule: 'http_url' }),
    webhook_secret: optionalText('secret that webhooks are signed with (HMAC-SHA256), at least 16 characters', { env: ['CALIBRATION_WEBHOOK_SECRET'], secret: true, rule: 'api_token' }),
    allowed_origins: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { description: 'origins of pages elsewhere that may calibrate here, such as https://app.example', maxItems: 32, uniqueItems: true }),
    ),
    rate_limit_per_s: int('requests per second and caller', { default: 120, min: 1, max: 10_000 }),
    body_limit_kib: int('largest batch of frames, KiB', { default: 16_384, min: 64, max: 65_536 }),
    frames_per_session: int('frames that a session can hold', { default: 6_000, min: 40, max: 100_000 }),
  },
  { ...closed, description: 'web gaze calibration' },
);

/** Values that must not be logged. */
export function calibrationSecrets(calibration: Pick<Static<typeof Calibration>, 'database' | 'jwt_secret' | 'encryption_keys' | 'webhook_secret'>): (string | undefined)[] {
  return [calibration.database.password, calibration.jwt_secret, calibration.encryption_keys, calibration.webhook_secret];
}
