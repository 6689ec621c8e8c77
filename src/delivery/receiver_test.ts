/** A question to the receiver that leaves no trace there. */
import type { Transport } from './transport.js';
import type { DeliveryClock, ReceiverTest } from './types.js';

/** The receiver checks method, token, JSON and its database before it finds that it doesn't know this type. */
const BODY = JSON.stringify({ result_type: 'connection_test' });

/** Posts BODY once and says in words what the answer means. Never throws. */
export async function testReceiver(transport: Transport | undefined, clock: DeliveryClock, key: string): Promise<ReceiverTest> {
  const since_ms = clock.monoMs();
  if (transport === undefined) return { reached: false, authorized: null, status: null, duration_ms: 0, message: 'no php_system.callback_url is configured' };
  const result = await transport.post(BODY, key, new AbortController().signal);
  const duration_ms = Math.round((clock.monoMs() - since_ms) * 10) / 10;
  if ('fault' in result) return { reached: false, authorized: null, status: null, duration_ms, message: `no answer from ${transport.shown_url}: ${result.fault}` };
  const { status, text } = result.answer;
  return { reached: true, status, duration_ms, ...meaning(status, text) };
}

function meaning(status: number, text: string): Pick<ReceiverTest, 'authorized' | 'message'> {
  if (status === 400 && text.includes('Unknown result type')) return { authorized: true, message: 'the receiver is there, takes the token and reaches its database' };
  if (status === 401) return { authorized: false, message: 'the receiver refuses the token: CV_PIPELINE_TOKEN has to be the one configured there' };
  if (status === 405) return { authorized: null, message: 'something there does not take POST: is the callback URL right?' };
  if (status === 404) return { authorized: null, message: 'nothing is at this path: is the callback URL right?' };
  if (status >= 300 && status < 400) return { authorized: null, message: 'redirected, which is not followed: configure the final URL' };
  if (status >= 500) return { authorized: null, message: 'the receiver is there and fails; its own log has the cause' };
  return { authorized: null, message: `an answer that the receiver is not known to give (status ${status}): is the callback URL right?` };
}
