/**
 * `npm run bench -- [--filter AREA] [--quick] [--gpu]`: runs the areas, writes bench/results/<area>.json and the README's table. Exit 1 when an area
 * could not be run; a target that is missed is a result, not a failure.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Area, AreaResult } from './area.js';
import { calibrationArea } from './areas/calibration.js';
import { captureArea } from './areas/capture.js';
import { eyesArea } from './areas/eyes.js';
import { gpuArea } from './areas/gpu.js';
import { handoverArea } from './areas/handover.js';
import { inferenceArea } from './areas/inference.js';
import { pagesArea } from './areas/pages.js';
import { pipelineArea } from './areas/pipeline.js';
import { ptzArea } from './areas/ptz.js';
import { describeMachine } from './machine.js';
import { writeReadmeTable } from './table.js';

const AREAS: Area[] = [captureArea, inferenceArea, handoverArea, pipelineArea, calibrationArea, gpuArea, ptzArea, pagesArea, eyesArea];

const { values } = parseArgs({
  options: { filter: { type: 'string' }, quick: { type: 'boolean', default: false }, gpu: { type: 'boolean', default: false } },
});
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const scratch = path.join(root, 'build/bench');
const results_dir = values.quick ? path.join(scratch, 'quick') : path.join(root, 'bench/results');
await mkdir(scratch, { recursive: true });
await mkdir(results_dir, { recursive: true });
const machine = describeMachine(root);
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.gpu ?? 'no GPU'}; Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}, FFmpeg ${machine.ffmpeg}, commit ${machine.commit}${machine.dirty ? ' + changes' : ''}`);

let failed = false;
for (const area of AREAS) {
  if (values.filter !== undefined && !area.name.includes(values.filter)) continue;
  if (area.gpu === true && !values.gpu) continue;
  console.log(`\n== ${area.name}: ${area.about}`);
  try {
    const results = await area.run({ root, machine, quick: values.quick, scratch, log: (line) => { console.log(line); } });
    for (const result of results) {
      await writeFile(path.join(results_dir, `${result.area}.json`), `${JSON.stringify(result, null, 2)}\n`);
      print(result);
    }
  } catch (error) {
    failed = true;
    console.error(`${area.name} could not be run: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
if (!values.quick) await writeReadmeTable(root);
process.exitCode = failed ? 1 : 0;

function print(result: AreaResult): void {
  console.log(`\n${result.area} (${result.unit})`);
  for (const { name, value, ratio } of result.contenders) {
    console.log(`  ${name.padEnd(24)} ${value.median.toFixed(3)}  [${value.min.toFixed(3)} .. ${value.max.toFixed(3)}]  ${ratio.median.toFixed(3)}×`);
  }
  for (const [name, value] of Object.entries(result.figures)) console.log(`  ${name.padEnd(24)} ${typeof value === 'number' ? Number(value.toPrecision(5)) : String(value)}`);
  for (const claim of result.claims) console.log(`  ${claim.holds ? 'holds ' : 'MISSED'}  ${claim.what}: ${claim.measured} (${claim.target})`);
}
