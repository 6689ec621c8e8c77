import t from 'tap';
import { chooseColumns, healthValue, priorityOf, priorityValue, type Column, type TableColumn } from '../../src/cameras/columns.js';
import { FAILURE_TEXT, sealEnvelope } from '../../src/cameras/envelope.js';
import { camerasOf, type ReadContext } from '../../src/cameras/rows.js';

const KEY = Buffer.alloc(32, 7);
const CONTEXT: ReadContext = { key: KEY, overlays: new Map(), at: '2025-11-14T14:30:00.000Z' };
const column = (name: string, type = 'varchar', declared = type): TableColumn => ({ name, type, declared });

/** The three shapes that are known of real tables. */
const CONTRACT = ['camera_id:int', 'camera_name', 'location', 'outlet_id:int', 'stream_url_encrypted:text', 'priority:int', 'online:tinyint', 'health_status', 'last_seen:datetime'];
const SCHEMA = ['camera_id:int', 'camera_name', 'camera_location', 'coverage_area', 'outlet_id:int', 'stream_url', 'cv_enabled:tinyint', 'analysis_fps:int', 'online:tinyint', 'last_frame_at:datetime'];
const MIGRATION = ['id:int', 'camera_id', 'camera_name', 'zone', 'outlet_id:int', 'is_active:tinyint', 'last_seen:datetime'];
const table = (names: string[]): TableColumn[] => names.map((name) => column(name.split(':')[0] as string, name.split(':')[1]));

t.test('columns are found in each known shape', async (t) => {
  const names = (columns: ReturnType<typeof chooseColumns>) => Object.fromEntries(Object.entries(columns).map(([meaning, { name }]) => [meaning, name]));
  t.match(names(chooseColumns('c', table(CONTRACT))), { camera_id: 'camera_id', location: 'location', stream_url_encrypted: 'stream_url_encrypted', online: 'online', health_status: 'health_status', last_seen: 'last_seen' });
  t.match(names(chooseColumns('c', table(SCHEMA))), { location: 'camera_location', stream_url: 'stream_url', enabled: 'cv_enabled', last_seen: 'last_frame_at', analysis_fps: 'analysis_fps' });
  t.match(names(chooseColumns('c', [...table(MIGRATION), column('stream_url')])), { camera_id: 'id', location: 'zone', online: 'is_active' }, 'the numeric id, not the text one');
});

t.test('what is missing is said with what there is', async (t) => {
  t.throws(() => chooseColumns('cams', []), { code: 'REGISTRY_SHAPE', message: /found no "cams"/ });
  t.throws(() => chooseColumns('cams', table(MIGRATION)), { code: 'REGISTRY_SHAPE', message: /expected a column stream_url_encrypted or stream_url, found id, camera_id/ });
  t.throws(() => chooseColumns('cams', [column('url')]), { code: 'REGISTRY_SHAPE', message: /registry\.columns\.camera_id/ });
  t.equal(chooseColumns('cams', [...table(MIGRATION), column('url')], { stream_url: 'URL' }).stream_url?.name, 'url', 'named in the configuration');
  t.throws(() => chooseColumns('cams', table(CONTRACT), { location: 'place' }), { message: /registry\.columns\.location: expected a column of cams, received "place"/ });
});

t.test('priorities and health fit numbers, words and free text', async (t) => {
  for (const [value, priority] of [[7, 7], ['7', 7], ['critical', 10], ['Low', 3], ['medium', 5], ['high', 8], [null, 5], ['', 5], ['?', 5], [99, 10], [-1, 1], [0, 1]] as const) t.equal(priorityOf(value), priority, String(value));
  const words: Column = { ...column('priority', 'enum'), words: ['low', 'medium', 'high', 'critical'] };
  t.same([1, 5, 8, 10].map((priority) => priorityValue(words, priority)), ['low', 'medium', 'high', 'critical']);
  t.equal(priorityValue({ ...column('priority', 'int'), words: [] }, 4), 4);
  const text: Column = { ...column('health_status'), words: [] };
  t.same([healthValue(text, 'streaming', ''), healthValue(text, 'stalled', 'CAPTURE_STALLED'), healthValue(text, 'backing_off', 'CAPTURE_REFUSED')], ['healthy', 'stalled', 'unreachable (CAPTURE_REFUSED)']);
  const health: Column = { ...column('h', 'enum'), words: ['healthy', 'degraded', 'offline', 'error'] };
  t.same([healthValue(health, 'streaming', ''), healthValue(health, 'stalled', ''), healthValue(health, 'backing_off', 'X'), healthValue(health, 'failed', 'X')], ['healthy', 'degraded', 'offline', 'error']);
  t.same(chooseColumns('c', [column('camera_id', 'int'), column('stream_url'), column('priority', 'enum', "enum('it''s','b')")]).priority?.words, ["it's", 'b']);
});

t.test('rows become cameras; what is wrong with one is its own matter', async (t) => {
  const columns = chooseColumns('c', table(CONTRACT));
  const seal = (url: string, aad: string): string => sealEnvelope(url, KEY, aad, 0);
  const rows = [
    { camera_id: 1, camera_name: ' Till ', location: 'Shop', outlet_id: 3, priority: 9, stream_url_encrypted: seal('rtsp://u:geheim@h/1', '{"outlet_id":"3"}') },
    { camera_id: '2', camera_name: null, location: null, outlet_id: null, priority: null, stream_url_encrypted: 'rtsp://u:geheim@h/2' },
    { camera_id: 3, stream_url_encrypted: seal('rtsp://u:geheim@h/3', '{"outlet_id":"44"}') },
    { camera_id: 4, stream_url_encrypted: FAILURE_TEXT },
    { camera_id: 5, stream_url_encrypted: seal(FAILURE_TEXT, '{"camera_id":5}') },
    { camera_id: 6, stream_url_encrypted: null },
    { camera_id: 7, stream_url_encrypted: seal('gopher://u:geheim@h/7', '{"camera_id":"7"}') },
    { camera_id: 'camera_001', stream_url_encrypted: 'rtsp://h/8' },
    { camera_id: 1, stream_url_encrypted: 'rtsp://h/9' },
  ];
  const { cameras, problems } = camerasOf(rows, columns, CONTEXT);
  t.match(cameras[0], { camera_id: 1, camera_name: 'Till', url: 'rtsp://u:geheim@h/1', location: 'Shop', outlet_id: 3, priority: 9, enabled: true, staff_id: null });
  t.match(cameras[1], { camera_id: 2, camera_name: 'camera 2', url: 'rtsp://u:geheim@h/2', priority: 5, outlet_id: null });
  t.same(cameras.map(({ camera_id, fault }) => [camera_id, fault]), [[1, undefined], [2, undefined], [3, 'CAMERA_URL_UNREADABLE'], [4, 'CAMERA_URL_LOST'], [5, 'CAMERA_URL_LOST'], [6, 'CAMERA_URL_MISSING'], [7, 'CAMERA_INVALID']]);
  t.same(problems.map(({ camera_id }) => camera_id), ['3', '4', '5', '6', '7', 'camera_001', '1']);
  t.notMatch(JSON.stringify(problems), /geheim/);
  t.match(camerasOf(rows.slice(0, 1), columns, { ...CONTEXT, key: undefined }).problems, [{ code: 'CAMERA_URL_UNREADABLE', message: /FRAUD_ENCRYPTION_KEY/ }]);
});

t.test('what the table has no column for comes from the overlay', async (t) => {
  const overlays = new Map([[1, { camera_id: 1, transport: 'udp' as const, staff_id: 42, analysis_fps: 2, enabled: 0 as const }]]);
  const { cameras } = camerasOf([{ camera_id: 1, stream_url_encrypted: 'rtsp://h/' }], chooseColumns('c', table(CONTRACT)), { ...CONTEXT, overlays });
  t.match(cameras, [{ transport: 'udp', staff_id: 42, analysis_fps: 2, enabled: false }]);
  const own = camerasOf([{ camera_id: 1, stream_url: 'rtsp://h/', enabled: 0, analysis_fps: 3 }], chooseColumns('c', table(SCHEMA)), CONTEXT);
  t.match(own.cameras, [{ enabled: false, analysis_fps: 3 }]);
});
