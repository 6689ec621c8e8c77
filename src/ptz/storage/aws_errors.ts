/** What an AWS client throws, as an error of ours: refused credentials apart from everything else. Never with the credentials. */
import { SightlineError, type ErrorCode } from '../../errors.js';

const CREDENTIALS = new Set([
  'ExpiredToken', 'ExpiredTokenException', 'InvalidToken', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'UnrecognizedClientException', 'InvalidSignatureException',
  'CredentialsProviderError', 'TokenProviderError', 'AccessDenied', 'AccessDeniedException', 'RequestExpired', 'InvalidClientTokenId', 'Forbidden',
]);

export function awsError(code: ErrorCode, what: string, error: unknown): SightlineError {
  if (error instanceof SightlineError) return error;
  const name = error instanceof Error ? error.name : 'unknown';
  if (CREDENTIALS.has(name)) {
    const hint = /Expired/.test(name) ? 'they have expired' : name === 'CredentialsProviderError' ? 'there are none' : `refused (${name})`;
    return new SightlineError('PTZ_CREDENTIALS', `${what}: AWS credentials: ${hint}`, { cause: error });
  }
  const words = error instanceof Error ? error.message.split('\n', 1)[0]?.slice(0, 300) : '';
  return new SightlineError(code, `${what}: ${name}${words === '' || words === name ? '' : `: ${words ?? ''}`}`, { cause: error });
}

export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
