/** What codes mean, for people who do not have the documents at hand. A code without an entry is shown as its words. */

const STATES: Record<string, string> = { backing_off: 'trying again', failed: 'given up', stalled: 'no new frames' };

const REASONS: Record<string, string> = {
  CAPTURE_AUTH: 'the camera refuses its user name or password', CAPTURE_BUSY: 'the camera takes no more viewers', CAPTURE_DENIED: 'this user may not open it', CAPTURE_DNS: 'its name is not known',
  CAPTURE_EOF: 'the stream ended', CAPTURE_NOT_FOUND: 'there is no stream at its address', CAPTURE_NO_VIDEO: 'its stream has no picture', CAPTURE_OPEN_FAILED: 'its stream cannot be opened',
  CAPTURE_REFUSED: 'nothing answers at its port', CAPTURE_STALLED: 'frames stopped coming', CAPTURE_TIMEOUT: 'it does not answer in time', CAPTURE_UNREACHABLE: 'there is no way to it in the network',
  CAPTURE_UNSUPPORTED: 'its kind of picture cannot be decoded', CAPTURE_DECODER: 'its pictures cannot be decoded',
  CAMERA_URL_MISSING: 'the registry has no address for it', CAMERA_URL_UNREADABLE: 'its address cannot be decrypted', CAMERA_LIMIT: 'as many cameras run as are allowed',
};

const DROPS: Record<string, string> = {
  superseded: 'a newer frame of the camera took its place', withheld: 'analysed less often, so that the machine keeps up', no_slot: 'no room in a batch', waiting_key: 'before the first whole picture of a stream',
  decode_error: 'damaged on the way', too_large: 'larger than the limit', unsupported: 'a kind of picture that cannot be read', inference_failed: 'a network failed', camera_gone: 'its camera was removed meanwhile',
};

const DELIVERIES: Record<string, string> = { posted: 'for the receiver', local_only: 'kept here only: it names nobody of the staff', dropped: 'not sent: the outbox was full' };

export const stateWords = (state: string): string => STATES[state] ?? asWords(state);
export const reasonWords = (reason: string): string => REASONS[reason] ?? asWords(reason);
/** Empty where there is nothing to explain. */
export const dropWords = (reason: string): string => DROPS[reason] ?? '';
export const deliveryWords = (delivery: string): string => DELIVERIES[delivery] ?? asWords(delivery);

/** `unusual_movement` → `unusual movement`. */
export function asWords(code: string): string {
  return code.replaceAll('_', ' ').toLowerCase();
}
