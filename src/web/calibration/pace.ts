/** How many frames a second are taken: the plan's rates by what a request to the server takes, and never more than the server asks for. */

export const FPS_MAX = 30;
/** As the service never asks for less. */
const FPS_MIN = 1;
/** Below it a dot has to stay so much longer that the person is told. */
export const FPS_SLOW = 4;

export function fpsOf(latency_ms: number | undefined, recommended_fps: number | undefined): number {
  const by_latency = latency_ms === undefined || latency_ms < 50 ? FPS_MAX : latency_ms < 150 ? 15 : 10;
  return Math.max(FPS_MIN, Math.min(FPS_MAX, by_latency, recommended_fps ?? FPS_MAX));
}
