/** Gaze fits against scipy and numpy on the same rows, one pinned core each. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { atMost, type Area, type AreaContext } from '../area.js';
import { compare, run, type Contender } from '../measure.js';
import { apiResult, gazeResult } from './calibration_load.js';

const TARGETS: [number, number][] = [[50, 28], [458, 28], [50, 257], [458, 257]];
/** Two seconds at 30 frames/s for each target. */
const ROWS_EACH = 60;
const CORE = '1';
const FITS = 400;
const AGREE_MM = 1e-4;

interface Answer {
  /** CPU time a fit. */
  ms: number;
  x: number[];
}

export const calibrationArea: Area = {
  name: 'calibration',
  about: 'gaze fits against scipy and numpy, pictures a second and core, requests a second',
  async run(context) {
    const rows = path.join(context.scratch, 'calibration_rows.json');
    await writeFile(rows, JSON.stringify(recording()));
    const python = path.join(context.root, 'bench/contenders/calibration_scipy.py');
    const sightline = fileURLToPath(new URL('../contenders/calibration.js', import.meta.url));
    const ask = async (command: string, args: string[]): Promise<Answer> => JSON.parse((await run(command, args, { pin: CORE, timeout_ms: 120_000, env: { OMP_NUM_THREADS: '1' } })).stdout) as Answer;
    let reference: number[] | undefined;
    const contender = (name: string, command: string, args: string[]): Contender => ({
      name,
      once: async () => {
        const { ms, x } = await ask(command, args);
        reference ??= x;
        const away = Math.max(...x.map((value, index) => Math.abs(value - (reference?.[index] ?? NaN))));
        if (!(away <= AGREE_MM)) throw new Error(`${name} found another fit, ${away} mm away`);
        return ms;
      },
    });
    const fits = String(context.quick ? FITS / 10 : FITS);
    const contenders = await compare(
      [
        contender('sightline', process.execPath, [sightline, rows, fits, 'best']),
        contender('sightline, scalar', process.execPath, [sightline, rows, fits, 'scalar']),
        contender('sightline, fit alone', process.execPath, [sightline, rows, fits, 'bare']),
        contender('pandas + scipy', '/usr/bin/python3', [python, rows, fits, 'scipy']),
        contender('numpy, closed form', '/usr/bin/python3', [python, rows, fits, 'numpy']),
      ],
      rounds(context),
      context.log,
    );
    const [ours, , alone, scipy, numpy] = contenders;
    return [
      {
        area: 'calibration', machine: context.machine, unit: 'CPU ms a fit', contenders,
        task: `${TARGETS.length * ROWS_EACH} rows at ${TARGETS.length} targets, one core. Sightline: the addon from the table to the fit, with held-out errors and a robust fit, and the report (alone: without them); pandas + scipy: outlier test and least_squares (trf, 2-point) over a vectorised residual, as the reference's numerics but without its Python loops; numpy: the same outlier test on plain arrays and the closed form. Neither of these reports anything. All agree to ${AGREE_MM} mm`,
        figures: { rows: TARGETS.length * ROWS_EACH, fits_a_round: Number(fits), against_scipy: scipy?.ratio.median ?? null, against_numpy: numpy?.ratio.median ?? null, alone_against_numpy: (numpy?.ratio.median ?? NaN) / (alone?.ratio.median ?? NaN) },
        claims: [atMost('gaze fit with its report, 240 rows', ours?.value.median ?? NaN, 5, ' ms'), atMost('gaze fit against scipy on the same rows', 1 / (scipy?.ratio.median ?? NaN), 1, '×')],
      },
      await gazeResult(context),
      await apiResult(context),
    ];
  },
};

function rounds({ quick }: AreaContext): number {
  return quick ? 2 : 9;
}

/** idx, gaze, set_x, set_y: somebody 620 mm away with half a degree of noise and one row in fifteen astray. */
function recording(): number[][] {
  let state = 20260101;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  return TARGETS.flatMap(([x, y], target) =>
    Array.from({ length: ROWS_EACH }, (_, row) => {
      const stray = row % 15 === 7 ? 0.2 : 0;
      const gaze = [(x - 250) / -620 + 0.009 * normal() + stray, (y - 120) / -620 + 0.009 * normal(), 1];
      const length = Math.hypot(...gaze);
      return [target, ...gaze.map((value) => value / length), x, y];
    }),
  );
}
