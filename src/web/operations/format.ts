/** Numbers and times for people. */

export function number(value: number | null | undefined, digits = 0): string {
  return value === null || value === undefined ? '–' : value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function age(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return 'no frame yet';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 90_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

export function moment(iso: string | null | undefined): string {
  if (iso === null || iso === undefined) return '–';
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const today = date.toDateString() === new Date().toDateString();
  // As the plots write it.
  const clock = date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', ...(today ? { second: '2-digit' } : {}), hourCycle: 'h23' });
  return today ? clock : `${date.toLocaleDateString(undefined, { dateStyle: 'medium' })}, ${clock}`;
}
