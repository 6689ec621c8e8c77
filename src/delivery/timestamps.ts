/** The contract's timestamps: local time of the receiver, without a zone. */
import { DateTime, IANAZone } from 'luxon';
import { SightlineError } from '../errors.js';

/**
 * A function from milliseconds since 1970 to `YYYY-MM-DD HH:MM:SS` in that zone. The hour that a clock change repeats comes out
 * twice, the one it skips never: the form has no room for the difference, and the receiver reads it as its own clock.
 * @throws CONFIG_INVALID for a zone that is not in the IANA database.
 */
export function localTimestamps(timezone: string): (wall_ms: number) => string {
  const zone = IANAZone.create(timezone);
  if (!zone.isValid) throw new SightlineError('CONFIG_INVALID', `php_system.timezone: expected an IANA zone name such as Pacific/Auckland, received ${JSON.stringify(timezone)}`);
  return (wall_ms) => {
    const time = DateTime.fromMillis(wall_ms, { zone, locale: 'en-US', numberingSystem: 'latn', outputCalendar: 'gregory' });
    if (!time.isValid) throw new SightlineError('DELIVERY_PAYLOAD_INVALID', `timestamp: expected milliseconds since 1970, received ${wall_ms}`);
    return time.toFormat('yyyy-LL-dd HH:mm:ss');
  };
}
