/** Slack messages: 🚨 above the threshold and for every failure, ✅ otherwise. */
import { setTimeout as sleep } from 'node:timers/promises';
import { IncomingWebhook } from '@slack/webhook';
import { SightlineError } from '../../errors.js';
import type { DeviceOutcome } from '../types.js';

const ATTEMPTS = 4;
const TIMEOUT_MS = 10_000;
/** A webhook takes about one message a second. */
const PACE_MS = 1_100;
/** Slack shortens beyond this. */
const LOG_CHARACTERS = 600;

/** Text of a result, in the lines that the channel's readers know. */
export function slackText({ row, status, reason, detail, alert, estimate }: DeviceOutcome): string {
  const bad = alert || !row.success;
  const angle = (value: number): string => `${value.toFixed(1)}°`;
  const interval = estimate?.ci95_deg ?? null;
  const lines = [
    `${bad ? '🚨' : '✅'} Camera Calibration Report`,
    `Deployment: ${clean(row.deployment_name)}`,
    `Device: ${clean(row.device_id)}`,
    `Timestamp: ${new Date(row.timestamp_s * 1000).toISOString()}`,
    ...(row.success ? [`Offsets: Pitch=${angle(row.pitch_offset)}, Yaw=${angle(row.yaw_offset)}, Roll=${angle(row.roll_offset)}`] : []),
    ...(interval === null ? [] : [`95 %: Pitch ±${interval.pitch.toFixed(3)}°, Yaw ±${interval.yaw.toFixed(3)}°, Roll ±${interval.roll.toFixed(3)}°`]),
    `Status: ${status}${reason === '' ? '' : ` (${reason})`}${detail === '' || !row.success ? '' : `: ${clean(detail)}`}`,
    `Mode: ${row.mode}`,
    `Success: ${row.success ? 'Yes' : 'No'}`,
  ];
  if (row.failure_log.length > 0) lines.push('Failure Logs:', ...row.failure_log.map((part) => `• ${clean(part).slice(0, LOG_CHARACTERS)}`));
  return lines.join('\n');
}

/** Slack's three special characters, as its documents say; and one line. */
function clean(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replace(/\s+/g, ' ');
}

export interface Slack {
  /** @throws PTZ_SLACK_FAILED after several attempts, never with the address, which is a secret */
  send(text: string, signal?: AbortSignal): Promise<void>;
}

export function createSlack({ url, channel, pace_ms = PACE_MS }: { url: string; channel?: string | undefined; pace_ms?: number }): Slack {
  const webhook = new IncomingWebhook(url, { timeout: TIMEOUT_MS });
  let next_ms = 0;
  const attempt = async (text: string): Promise<{ again: boolean; why: string } | undefined> => {
    try {
      await webhook.send({ text, ...(channel === undefined ? {} : { channel }) });
      return undefined;
    } catch (error) {
      const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : undefined;
      if (status === undefined) return { again: true, why: 'it cannot be reached' };
      return { again: status === 429 || status >= 500, why: `HTTP ${status}` };
    }
  };
  return {
    async send(text, signal) {
      for (let count = 1; ; count++) {
        const wait_ms = next_ms - performance.now();
        if (wait_ms > 0) await sleep(wait_ms, undefined, { signal });
        next_ms = performance.now() + pace_ms;
        const failed = await attempt(text);
        if (failed === undefined) return;
        if (!failed.again || count >= ATTEMPTS) throw new SightlineError('PTZ_SLACK_FAILED', `Slack: expected the webhook to take the message, ${failed.why} (attempt ${count})`);
        await sleep(Math.min(20_000, pace_ms * 2 ** count) * (0.5 + Math.random()), undefined, { signal });
      }
    },
  };
}
