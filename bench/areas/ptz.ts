/**
 * The offset of a PTZ camera: accuracy and intervals over trials of known truth, and the time of a check against OpenCV's own pipeline in Python, same
 * pairs, same core. The panorama is the one of the data folder beside the clone where it is, otherwise one made here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openOffsetEngine } from '../../src/ptz/estimate/engine.js';
import { makePanorama, type Panorama } from '../../test/fixtures/ptz_scene.js';
import { CAMERA, makeTrial, runTrial, summarise, type Outcome, type Summary, type TrialKind } from '../../test/fixtures/ptz_trials.js';
import { atMost, type Area, type AreaContext, type AreaResult, type Claim } from '../area.js';
import { run, spread, type ContenderResult } from '../measure.js';

const CORE = '1';
const PANORAMA = '../shared/data/pannellum/examplepano.jpg';
const TRIALS: Record<TrialKind, number> = { clean: 300, k1: 300, k1_now: 100, blur: 100, zoom: 100, night: 100, apart: 60 };
const TIME_LIMIT_MS = 3_600_000;

export const ptzArea: Area = {
  name: 'ptz',
  about: 'offset of a PTZ camera: accuracy over rendered views, time against OpenCV in Python',
  async run(context) {
    const engine = openOffsetEngine({ opencv_options: { deadline_ms: 300_000 } });
    try {
      const file = path.join(context.root, PANORAMA);
      const panorama: Panorama = existsSync(file) ? await engine.opencv.ask({ op: 'read', picture: new Uint8Array(readFileSync(file)) }) : makePanorama(7);
      const source = existsSync(file) ? 'the panorama of the data folder' : 'a panorama made here';
      const kinds = {} as Record<TrialKind, Summary>;
      const figures: AreaResult['figures'] = {};
      for (const kind of Object.keys(TRIALS) as TrialKind[]) {
        const outcomes: Outcome[] = [];
        const count = context.quick ? 6 : TRIALS[kind];
        for (let index = 0; index < count; index++) outcomes.push(await runTrial(engine, await makeTrial(engine.opencv, panorama, kind, index)));
        const summary = (kinds[kind] = summarise(outcomes));
        context.log(`  ${kind}: ${JSON.stringify(summary)}`);
        for (const [name, value] of Object.entries({ ...summary } as Record<string, number>)) figures[`${kind} ${name}`] = Number.isFinite(value) ? value : null;
        if (kind === 'zoom') figures['zoom largest error of the ratio'] = Math.max(...outcomes.map(({ result }) => Math.abs((result.zoom_ratio ?? 1.03) - 1.03)));
      }
      const task = `views of ${source}, 1280×720, 60°, offsets up to ±2° per axis, noise 3, JPEG 90, one reference and one query a trial`;
      const accuracy: AreaResult = { area: 'ptz-accuracy', machine: context.machine, task, unit: 'degrees', contenders: [], figures, claims: accuracyClaims(kinds) };
      return [accuracy, await times(context, panorama, engine.opencv)];
    } finally {
      await engine.close();
    }
  },
};

function accuracyClaims({ clean, k1, k1_now, blur, zoom, night, apart }: Record<TrialKind, Summary>): Claim[] {
  const degrees = (what: string, value: number, limit: number): Claim => ({ what, target: `≤ ${limit}°`, measured: `${value.toFixed(5)}°`, holds: value <= limit });
  const covered = (what: string, { coverage }: Summary): Claim => ({ what, target: '90 to 99 %', measured: `${(100 * coverage).toFixed(1)} %`, holds: coverage >= 0.9 && coverage <= 0.99 });
  return [
    degrees('PTZ offset: clean views, median', clean.median_deg, 0.0015),
    degrees('PTZ offset: clean views, p95', clean.p95_deg, 0.004),
    degrees('PTZ offset: blurred views, p95', blur.p95_deg, 0.02),
    degrees('PTZ offset: zoom 3 % off, p95', zoom.p95_deg, 0.02),
    degrees('PTZ offset: night, largest', night.max_deg, 0.05),
    { what: 'PTZ offset: night, wrong and refused', target: 'none wrong, ≤ 5 % refused', measured: `${night.wrong}, ${night.refused} of ${night.trials}`, holds: night.wrong === 0 && night.refused <= 0.05 * night.trials },
    { what: 'PTZ offset: views without overlap, refused', target: 'all', measured: `${apart.refused} of ${apart.trials}`, holds: apart.refused === apart.trials },
    covered('PTZ offset: 95 % interval holds the truth, clean', clean),
    covered('PTZ offset: 95 % interval holds the truth, k1 = -0.1 unknown', k1),
    covered('PTZ offset: 95 % interval holds the truth, k1 = -0.1 in the query alone', k1_now),
  ];
}

interface Timed {
  features_ms: number;
  matching_ms: number;
  estimation_ms: number;
  total_ms?: number;
  errors_deg: number[];
  refused: number;
}

async function times(context: AreaContext, panorama: Panorama, opencv: Parameters<typeof makeTrial>[0]): Promise<AreaResult> {
  const folder = path.join(context.scratch, 'ptz');
  await mkdir(folder, { recursive: true });
  const pairs = [];
  for (let index = 0; index < (context.quick ? 4 : 20); index++) {
    const { reference, query, ...truth } = await makeTrial(opencv, panorama, 'clean', index);
    await writeFile(path.join(folder, `r${index}.jpg`), reference);
    await writeFile(path.join(folder, `q${index}.jpg`), query);
    pairs.push({ ...truth, reference: `r${index}.jpg`, query: `q${index}.jpg` });
  }
  const list = path.join(folder, 'list.json');
  await writeFile(list, JSON.stringify({ camera: CAMERA, pairs }));
  const ours = async (references: number, ...more: string[]): Promise<Timed> => timed(process.execPath, [fileURLToPath(new URL('../contenders/ptz_sightline.js', import.meta.url)), list, String(references), ...more]);
  const theirs = async (): Promise<Timed> => timed('/usr/bin/python3', [path.join(context.root, 'bench/contenders/ptz_opencv.py'), list]);
  const rounds: [Timed, Timed][] = [];
  for (let round = 0; round < (context.quick ? 1 : 3); round++) rounds.push([await theirs(), await ours(1)]);
  const eight = await ours(8, 'stored');
  const eight_pictures = await ours(8);
  const sum = ({ features_ms, matching_ms, estimation_ms }: Timed): number => features_ms + matching_ms + estimation_ms;
  const contenders: ContenderResult[] = (['OpenCV in Python', 'sightline'] as const).map((name, index) => ({
    name, rounds: rounds.length, value: spread(rounds.map((round) => sum(round[index as 0 | 1]))), ratio: spread(rounds.map((round) => sum(round[index as 0 | 1]) / sum(round[0]))),
  }));
  const [opencv_last, ours_last] = rounds.at(-1) ?? [await theirs(), await ours(1)];
  const figures: AreaResult['figures'] = { '8 references with stored features, ms': eight.total_ms ?? null, '8 references from pictures, ms': eight_pictures.total_ms ?? null };
  for (const [name, one] of [['opencv', opencv_last], ['sightline', ours_last]] as const) {
    const errors = [...one.errors_deg].sort((a, b) => a - b);
    Object.assign(figures, {
      [`${name} features_ms`]: one.features_ms, [`${name} matching_ms`]: one.matching_ms, [`${name} estimation_ms`]: one.estimation_ms,
      [`${name} median_deg`]: errors[errors.length >> 1] ?? null, [`${name} max_deg`]: errors.at(-1) ?? null, [`${name} refused`]: one.refused,
    });
  }
  return {
    area: 'ptz-time', machine: context.machine, unit: 'ms per check of one reference and one query', contenders, figures,
    task: `SIFT, 2000 features, two pictures of 1280×720 each check, ${pairs.length} pairs, core ${CORE}; OpenCV: brute force, ratio 0.75, findHomography, decomposeHomographyMat`,
    claims: [atMost('PTZ offset: check against 8 stored references, one core', (eight.total_ms ?? NaN) / 1000, 2, ' s')],
  };
}

async function timed(command: string, args: string[]): Promise<Timed> {
  const { stdout } = await run(command, args, { pin: CORE, timeout_ms: TIME_LIMIT_MS });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Timed;
}
