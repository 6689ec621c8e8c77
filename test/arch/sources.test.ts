/** Rules of the code base that a reviewer would otherwise have to see. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { filesUnder, functionLengths, importsOf } from './sources.js';

/** Folders of src in the order in which a frame meets them; what is not named is wiring and comes last. */
const FLOW = ['observability', 'config', 'store', 'cameras', 'capture', 'inference', 'analysis', 'baselines', 'evidence', 'delivery', 'opencv', 'geometry', 'calibration', 'ptz', 'eyetracking', 'http'];
/** Single files that anybody may use. */
const COMMON = ['src/errors.ts', 'src/native_addon.ts', 'src/version.ts'];
/** Descriptions of data: their types may be named against the flow, since nothing of them runs. */
const DESCRIPTIONS = /\/(types|results|schema)\.ts$/;

const SOURCES = filesUnder('src', /\.ts$/);
const rank = (file: string) => {
  if (COMMON.includes(file)) return -1;
  const at = FLOW.indexOf(file.split('/')[1] ?? '');
  return at >= 0 ? at : FLOW.length;
};

t.test('imports point along the flow', async (t) => {
  for (const file of SOURCES) {
    const against = importsOf(file).filter(({ target, typeOnly }) => target.startsWith('src/') && rank(target) > rank(file) && !(typeOnly && DESCRIPTIONS.test(target)));
    t.same(against.map(({ target }) => target), [], file);
  }
});

t.test('no file imports itself by a detour, not even a type', async (t) => {
  const graph = new Map(SOURCES.map((file) => [file, importsOf(file).filter(({ target, dynamic }) => target.startsWith('src/') && !dynamic).map(({ target }) => target)]));
  const done = new Set<string>();
  const cycleFrom = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const target of graph.get(file) ?? []) {
      const cycle = cycleFrom(target, [...path, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of SOURCES) t.equal(cycleFrom(file, [])?.join(' → '), undefined, file);
});

t.test('risky packages have one place', async (t) => {
  const places: [string, RegExp][] = [
    ['onnxruntime-node', /^src\/inference\/worker[^/]*\.ts$/],
    ['beamcoder', /^src\/demo\//],
    ['@u4/opencv4nodejs', /^src\/opencv\/binding\.ts$/],
    ['better-sqlite3', /^src\/store\//],
    ['piscina', /^src\/(inference\/workers|calibration\/service\/work(place|_thread))\.ts$/],
  ];
  for (const file of SOURCES) {
    const values = importsOf(file).filter(({ typeOnly }) => !typeOnly).map(({ target }) => target);
    for (const [name, place] of places) if (values.includes(name)) t.match(file, place, `${name} in ${file}`);
    if (/\.node['"`]/.test(readFileSync(file, 'utf8'))) t.match(file, /^src\/[a-z]+\/native\.ts$/, `a native addon in ${file}`);
  }
  t.ok(SOURCES.length > 20, 'there is something to check');
});

t.test('only the entry reads the environment', async (t) => {
  for (const file of SOURCES) if (/\bprocess\.env\b|import \{[^}]*\benv\b[^}]*\} from '(node:)?process'/.test(readFileSync(file, 'utf8'))) t.match(file, /^src\/(main|cli\/main)\.ts$/, file);
});

t.test('files have at most 400 lines, functions 70', async (t) => {
  const files = ['src', 'test', 'models', 'bench', 'setup', 'native'].flatMap((folder) => filesUnder(folder, /\.(ts|mjs|js|cc|hpp|css|html)$/));
  for (const file of files) t.ok(readFileSync(file, 'utf8').split('\n').length <= 401, file);
  for (const file of SOURCES) t.same(functionLengths(file).filter(({ lines }) => lines > 70), [], file);
});

t.test('no folder is a drawer', async (t) => {
  // native/common is in the design: assertions and the clock, which every folder of native needs.
  for (const file of [...SOURCES, ...filesUnder('native', /\.(cc|hpp)$/)]) t.notMatch(file, /(^|\/)(utils?|helpers?|managers?|misc)(\/|\.[a-z]+$)/i);
});

t.test('native: Node-API stays in the addon, libav objects are freed in one place', async (t) => {
  for (const file of filesUnder('native', /\.(cc|hpp|h)$/)) {
    const text = readFileSync(file, 'utf8');
    if (/#include\s*[<"]napi\.h[>"]|#include\s*[<"]node_api\.h[>"]/.test(text)) t.match(file, /^native\/([a-z]+_)?addon\//, file);
    if (/\bav(codec|format)?_[a-z_]*(free|free_context|close_input)\s*\(/.test(text)) t.match(file, /\/av_ptr\.hpp$|^native\/test\//, file);
  }
});

t.test('nothing of one machine is in the repository', async (t) => {
  const files = ['src', 'test', 'models', 'bench', 'setup', 'native', 'docs', 'bin'].flatMap((folder) => filesUnder(folder, /\.(ts|mjs|js|cc|hpp|md|txt|json)$|^sightline$/));
  for (const file of [...files, 'README.md', 'package.json', 'config.sample.json']) {
    const absolute = new RegExp(['/wo' + 'rk/', '/ro' + 'ot/', '/home/[a-z]'].join('|'));
    t.notMatch(readFileSync(file, 'utf8'), absolute, file);
  }
});
