/** Results of PTZ checks as the API lists them, brought into the form that the plots need. */

export interface PtzResult {
  device: string;
  /** ISO 8601. */
  at: string;
  status: string;
  reason: string;
  /** Degrees; null where no estimate was made. */
  yaw: number | null;
  pitch: number | null;
  /** Half the width of the 95 % interval. */
  yaw_ci: number | null;
  pitch_ci: number | null;
}

type Fields = Record<string, unknown>;

/** The row of a result may lie beside its estimate or hold it. */
export function readResults(answer: unknown): PtzResult[] {
  const list = (answer as { results?: unknown }).results;
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    if (typeof item !== 'object' || item === null) return [];
    const outer = item as Fields;
    const row: Fields = { ...outer, ...fields(outer.row) };
    const estimate = { ...row, ...fields(outer.estimate) };
    const ci = fields(estimate.ci95_deg);
    const device = text(row.device_id);
    const at = typeof row.timestamp_s === 'number' ? new Date(row.timestamp_s * 1000).toISOString() : text(row.timestamp ?? row.at ?? row.created_at);
    if (device === '' || Number.isNaN(Date.parse(at))) return [];
    const deployment = text(row.deployment_name ?? row.deployment);
    return [{
      device: deployment === '' ? device : `${deployment} / ${device}`, at, status: text(outer.status) || (row.success === false ? 'failed' : 'ok'), reason: text(outer.reason),
      yaw: finite(estimate.yaw_deg ?? measured(row, 'yaw_offset')), pitch: finite(estimate.pitch_deg ?? measured(row, 'pitch_offset')), yaw_ci: finite(ci.yaw), pitch_ci: finite(ci.pitch),
    }];
  });
}

/** By device name, each oldest first. */
export function byDevice(results: readonly PtzResult[]): [string, PtzResult[]][] {
  const devices = new Map<string, PtzResult[]>();
  for (const result of results) devices.set(result.device, [...(devices.get(result.device) ?? []), result]);
  for (const list of devices.values()) list.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return [...devices].sort(([a], [b]) => a.localeCompare(b));
}

/** A row without a success carries zeros that nobody measured. */
function measured(row: Fields, column: string): unknown {
  return row.success === true ? row[column] : null;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function finite(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
