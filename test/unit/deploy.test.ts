/** The dashboard and the alert rules name metrics that there are, with labels and values that there are. */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { parse } from 'yaml';

interface Rules { groups: { name: string; rules: { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string } }[] }[] }
interface Dashboard { title: string; panels: { id: number; title: string; gridPos: { x: number; y: number; w: number; h: number }; targets: { expr: string }[] }[] }

const rules = (parse(readFileSync('deploy/prometheus/sightline.rules.yml', 'utf8')) as Rules).groups.flatMap(({ rules }) => rules);
const dashboard = JSON.parse(readFileSync('deploy/grafana/sightline.json', 'utf8')) as Dashboard;
const documented = new Map(
  [...readFileSync('docs/METRICS.md', 'utf8').matchAll(/^\| `(sightline_[a-z_]+)(?:\{([a-z_,]+)\})?` \| (\w+)/gm)].map(([, name = '', labels = '', type = '']) => [name, { type, labels: labels === '' ? [] : labels.split(',') }]),
);

function check(t: Pick<Test, 'ok' | 'same'>, expr: string): void {
  t.same([...expr].filter((c) => c === '(').length, [...expr].filter((c) => c === ')').length, expr);
  for (const [, name = '', matchers = ''] of expr.matchAll(/\b(sightline_[a-z_]+)(?:\{([^}]*)\})?/g)) {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    const metric = documented.get(name) ?? (documented.get(base)?.type === 'histogram' ? documented.get(base) : undefined);
    t.ok(metric, `${name} is documented`);
    for (const [, label = ''] of matchers.matchAll(/([a-z_]+)\s*(?:=~|!=|!~|=)/g)) t.ok(['instance', 'job'].includes(label) || metric?.labels.includes(label), `${name} has the label ${label}`);
  }
}

t.test('every metric of the alert rules exists, and each alert says what is wrong and how bad it is', async (t) => {
  t.ok(documented.size > 15 && rules.length > 8);
  for (const { alert, expr, labels, annotations } of rules) {
    t.match(alert, /^Sightline[A-Z]/);
    check(t, expr);
    t.ok(['page', 'ticket'].includes(labels.severity) && annotations.summary.length > 20, alert);
  }
  t.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length, 'names are unique');
});

t.test('every metric of the dashboard exists, and no panel lies over another', async (t) => {
  for (const { targets } of dashboard.panels) for (const { expr } of targets) check(t, expr);
  for (const a of dashboard.panels) {
    for (const b of dashboard.panels) {
      const [p, q] = [a.gridPos, b.gridPos];
      if (a.id < b.id) t.notOk(p.x < q.x + q.w && q.x < p.x + p.w && p.y < q.y + q.h && q.y < p.y + p.h, `${a.title} and ${b.title}`);
    }
  }
});
