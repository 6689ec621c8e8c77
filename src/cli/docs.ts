/** `sightline docs ROOT`: writes the pages that are made from the code. For developers; tests compare the pages with the code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderConfigDocs, renderSampleConfig } from '../config/docs.js';
import { ERRORS } from '../errors.js';
import { renderRoutes } from '../http/docs.js';
import { renderMetricsDocs } from '../observability/docs.js';
import { renderSettingsSample } from '../ptz/config/docs.js';

const ERRORS_INTRO = `# Errors

Made from src/errors.ts by \`npx sightline docs .\`; a test compares the two. A code is stable; the text may get better, so match on the code. HTTP
answers are \`{"error": {"code", "message"}}\` with the status below; on the command line an error is one line \`sightline: CODE: message\`.

| code | HTTP | what it means |
| --- | --- | --- |
`;

/** The pages by their path under the root. A page with markers keeps what is outside of them. */
export async function renderDocs(root: string): Promise<Record<string, string>> {
  const api = readFileSync(join(root, 'docs/API.md'), 'utf8');
  return {
    'docs/CONFIG.md': renderConfigDocs(),
    'config.sample.json': renderSampleConfig(),
    'configs/calibration_monitoring.ini': renderSettingsSample(),
    'docs/METRICS.md': await renderMetricsDocs(),
    'docs/ERRORS.md': ERRORS_INTRO + Object.entries(ERRORS).map(([code, { status, about }]) => `| \`${code}\` | ${status} | ${about} |`).join('\n') + '\n',
    'docs/API.md': between(api, await renderRoutes()),
  };
}

export async function writeDocs(root: string): Promise<string[]> {
  const pages = Object.entries(await renderDocs(root));
  for (const [file, text] of pages) writeFileSync(join(root, file), text);
  return pages.map(([file]) => file);
}

function between(page: string, table: string): string {
  return page.replace(/(<!-- routes:begin -->\n)[\s\S]*?(<!-- routes:end -->)/, (_all, begin: string, end: string) => `${begin}${table}\n${end}`);
}
