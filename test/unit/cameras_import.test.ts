import t from 'tap';
import { planImport } from '../../src/cameras/import.js';

const HEAD = 'camera_id,camera_name,url,priority,location,staff_id,enabled\n';

t.test('a good file: every line a camera, empty cells left out', async (t) => {
  const { lines, problems } = planImport(`\ufeff${HEAD}7,"Front, left",rtsp://u:geheim@h/1,9,"Hall\nsouth",,no\n\n8,Door,/dev/video0,,,42,\n`, [], false);
  t.match(problems, [/line 2: location: expected text without control characters/], 'a line break in a name is none');
  t.match(lines, [{ line: 5, camera: { camera_id: 8, camera_name: 'Door', staff_id: 42 }, change: false }]);
  t.notOk('priority' in (lines[0]?.camera ?? {}));
  t.match(planImport('ID,Name,Stream_URL\n1,a,rtsp://h/\n', [], false), { problems: [], lines: [{ line: 2, camera: { camera_id: 1, camera_name: 'a', url: 'rtsp://h/' } }] }, 'the names of the PHP export');
});

t.test('all problems at once, with their lines and without credentials', async (t) => {
  const text = `${HEAD}0,a,rtsp://h/,5,,,\n2,,rtsp://h/,eleven,,,maybe\n3,c,gopher://u:geheim@h/,5,,,\n4,d,rtsp://h/,5\n5,e,rtsp://h/,5,,,\n5,f,rtsp://h/,5,,,\n6,g,rtsp://h/,5,,,\n`;
  const { problems, lines } = planImport(text, [{ camera_id: 6 }], false);
  for (const expected of [/^line 2: camera_id: /, /^line 3: camera_name: /, /^line 3: priority: .*received "eleven"/, /^line 3: enabled: /, /^line 4: url: expected/, /^line 5: expected 7 cells, received 4/, /^line 7: camera_id: .*as in line 6/, /^line 8: camera_id: .*--update/]) {
    t.ok(problems.some((problem) => expected.test(problem)), String(expected));
  }
  t.equal(problems.length, 8);
  t.notMatch(problems.join(), /geheim/);
  t.equal(lines.length, 1);
  t.match(planImport(text, [{ camera_id: 6 }], true).lines.at(-1), { change: true });
});

t.test('what is no such file', async (t) => {
  for (const [text, expected] of [
    ['', /empty file/], ['a,b\n', /column 1: expected one of camera_id/], ['camera_id,camera_name\n', /expected a column url/], ['camera_id,id,name,url\n', /each field once/], ['camera_id,name,url\n1,"x\n', /does not parse/],
    ['x'.repeat(9_000_000), /at most/],
  ] as const) t.match(planImport(text, [], false).problems.join('\n'), expected);
  t.same(planImport(`${HEAD}`, [], false), { lines: [], problems: [] }, 'a heading alone has no camera');
});
