/** docs/METRICS.md, made from the metrics themselves; a test compares the two. */
import { createMetrics } from './metrics.js';

const INTRO = `# Metrics

Made from src/observability/metrics.ts by \`npx sightline docs .\`; a test compares the two.

\`GET /metrics\` has these, and those of the process and of Node.js that prom-client adds (\`process_*\`, \`nodejs_*\`, with
\`nodejs_eventloop_lag_seconds\`). Counters of a camera run on while the daemon does, also over a change of the camera; they leave the page with it.

| metric | type | meaning |
| --- | --- | --- |
`;

export async function renderMetricsDocs(): Promise<string> {
  const metrics = createMetrics({}, { version: '', simd: '', libav: '' });
  const rows = (await metrics.list()).filter(({ name }) => name.startsWith('sightline_')).map(({ name, type, help, labels }) => {
    const shown = labels.length === 0 ? name : `${name}{${labels.join(',')}}`;
    return `| \`${shown}\` | ${type} | ${help} |`;
  });
  metrics.close();
  return INTRO + rows.join('\n') + '\n';
}
