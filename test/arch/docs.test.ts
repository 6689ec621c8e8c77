import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { renderDocs } from '../../src/cli/docs.js';
import { loadConfig } from '../../src/config/load.js';
import { describeApi } from '../../src/http/docs.js';

t.test('the pages made from the code are those in the clone; mend with "npx sightline docs ."', async (t) => {
  for (const [file, text] of Object.entries(await renderDocs('.'))) t.equal(readFileSync(file, 'utf8'), text, file);
});

t.test('the API page names every route', async (t) => {
  const page = readFileSync('docs/API.md', 'utf8');
  for (const [path, methods] of Object.entries(await describeApi())) for (const method of Object.keys(methods)) t.ok(page.includes(`\`${method.toUpperCase()} ${path}\``), `${method} ${path}`);
});

t.test('the sample configuration is a configuration, and the default one', async (t) => {
  t.same(loadConfig({ file: 'config.sample.json', env: {}, cwd: process.cwd() }), loadConfig({ env: {}, cwd: process.cwd() }));
});

t.test('the tests that hold the contract exist under their names', async (t) => {
  const rows = [...readFileSync('docs/CONTRACT.md', 'utf8').matchAll(/\| `([a-z]+\/[a-z_]+)`: (.+) \|$/gm)];
  t.ok(rows.length >= 25, `${rows.length} rows`);
  for (const [, file = '', name = ''] of rows) {
    const source = readFileSync(`test/${file}.test.ts`, 'utf8');
    // The short form of a soak has the soak's own words as its name.
    const soak = /from '\.\.\/(soak\/\w+)\.js'/.exec(source)?.[1];
    t.ok(source.includes(`'${name}'`) || (soak !== undefined && readFileSync(`test/${soak}.ts`, 'utf8').includes(`about: '${name}'`)), `${file}: ${name}`);
  }
});

t.test('links between pages lead somewhere', async (t) => {
  const pages = ['README.md', ...readdirSync('docs').filter((file) => file.endsWith('.md')).map((file) => join('docs', file))];
  for (const page of pages) {
    for (const [, target = ''] of readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (!/^[a-z]+:/.test(target)) t.ok(existsSync(join(dirname(page), target)), `${page} → ${target}`);
    }
  }
});
