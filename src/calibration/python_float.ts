/** Numbers as the reference's tools write and read them. */

/**
 * Python's `repr` of a float: the shortest digits that read back to the same number, as in JavaScript, but always with a point or an
 * exponent, and scientific below 1e-4 and from 1e16. NaN and infinities as `nan`, `inf`, `-inf`.
 */
export function reprFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '', power = ''] = value.toExponential().split('e');
  const exponent = Number(power);
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < -4 || exponent >= 16) {
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${sign}${digits.slice(0, 1)}${tail}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** Digits that the default parser of `pandas.read_csv` takes into account. */
const PARSED_DIGITS = 17;
const LEAST_POWER = -308;

/**
 * What `pandas.read_csv` with its default parser makes of a number written by `reprFloat`: not the nearest double. Leading zeros count as
 * digits, so small numbers lose some.
 */
export function pandasFloat(text: string): number {
  const [, sign = '', whole = '', fraction = '', power = '0'] = /^(-?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/.exec(text) ?? [];
  let value = 0;
  let used = 0;
  let exponent = Number(power);
  for (const digit of whole) {
    if (used < PARSED_DIGITS) value = value * 10 + Number(digit);
    else exponent += 1;
    used += 1;
  }
  for (const digit of fraction) {
    if (used >= PARSED_DIGITS) break;
    value = value * 10 + Number(digit);
    exponent -= 1;
    used += 1;
  }
  if (exponent > 0) value *= powerOfTen(exponent);
  else if (exponent < LEAST_POWER) value = value / powerOfTen(LEAST_POWER - exponent) / powerOfTen(-LEAST_POWER);
  else value /= powerOfTen(-exponent);
  return sign === '-' ? -value : value;
}

function powerOfTen(exponent: number): number {
  return Number(`1e${exponent}`);
}
