/** Six models against a bare ONNX Runtime loop that makes the same runs: what do crops, decoders and the stage graph cost? */
import { fileURLToPath } from 'node:url';
import { atMost, type Area } from '../area.js';
import type { InferenceFigures, InferenceTrial } from '../contenders/inference.js';
import { compare, run } from '../measure.js';
import { sceneClip } from './pipeline.js';

const CORE = '1';

export const inferenceArea: Area = {
  name: 'inference',
  about: 'six models against a bare ONNX Runtime loop over the same runs',
  async run(context) {
    const program = fileURLToPath(new URL('../contenders/inference.js', import.meta.url));
    const base = {
      clip: await sceneClip(context, 10), rows: 4, batches: 3, repeats: context.quick ? 2 : 8,
      batch: { objects: 1, faces: 1, persons: 2, mesh: 2, iris: 4, emotions: 4 },
    };
    const one = async (trial: InferenceTrial): Promise<InferenceFigures> => {
      const { stdout } = await run(process.execPath, [program, JSON.stringify(trial)], { pin: CORE });
      return JSON.parse(stdout) as InferenceFigures;
    };
    let ours = await one({ ...base, mode: 'sightline' });
    if (ours.faces === 0 || ours.persons === 0 || ours.objects === 0) throw new Error(`the frames show nothing: ${JSON.stringify(ours)}`);
    const contenders = await compare(
      [
        { name: 'bare ONNX Runtime loop', once: async () => (await one({ ...base, mode: 'bare', runs: ours.runs })).cpu_ms_per_frame },
        { name: 'sightline stage graph', once: async () => (ours = await one({ ...base, mode: 'sightline' })).cpu_ms_per_frame },
      ],
      context.quick ? 2 : 5,
      context.log,
    );
    const runs = new Map<string, number>();
    for (const [network, items] of ours.runs) runs.set(network, (runs.get(network) ?? 0) + items);
    const frames = base.rows * base.batches;
    return [
      {
        area: 'inference', machine: context.machine, unit: 'CPU ms per frame', contenders,
        task: `${frames} frames 640×360 with people, frame-level networks on the slot's tensors, crops from the decoded frames; the bare loop makes the same runs at the same batch sizes on noise; one thread, core ${CORE}`,
        figures: { items_per_frame: [...runs].map(([id, items]) => `${id} ${(items / frames).toFixed(2)}`).join(', ') },
        claims: [atMost('six models against a bare ONNX Runtime loop', contenders[1]?.ratio.median ?? NaN, 1.1, '×')],
      },
    ];
  },
};
