/** Works through a list with a few at once, in its order. */

/** Stops taking new ones when the signal is aborted. Rejects with the first rejection, after the others have ended. */
export async function inLanes<T>(items: readonly T[], width: number, signal: AbortSignal, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const lanes = Array.from({ length: Math.min(width, items.length) }, async () => {
    for (let item = waiting.shift(); item !== undefined && !signal.aborted; item = waiting.shift()) await work(item);
  });
  const ends = await Promise.allSettled(lanes);
  const failed = ends.find((end): end is PromiseRejectedResult => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
