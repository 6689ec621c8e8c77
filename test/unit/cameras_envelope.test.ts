import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { isEnvelope, keyVersion, openEnvelope, phpJson, possibleAads, sealEnvelope } from '../../src/cameras/envelope.js';
import { parseStreamUrl } from '../../src/cameras/stream_url.js';
import { encryptionKey } from '../../src/config/rules.js';

interface Own { key: string; vectors: { url: string; aad: string; stored: string }[] }
const OWN = JSON.parse(readFileSync('test/fixtures/stream_url_envelopes.json', 'utf8')) as Own;
const KEY = Buffer.from(OWN.key);

t.test('what PHP has encrypted is opened with its AAD, and with no other', async (t) => {
  for (const { url, aad, stored } of OWN.vectors) {
    t.equal(openEnvelope(stored, KEY, [aad]), url);
    t.equal(openEnvelope(stored, KEY, ['{"x":1}', aad]), url, 'they are tried in turn');
    t.equal(openEnvelope(stored, KEY, ['{"x":1}']), undefined);
    t.equal(openEnvelope(stored, Buffer.alloc(32, 1), [aad]), undefined, 'another key');
  }
});

t.test('every bit counts, tags are whole, members are there', async (t) => {
  const [{ aad, stored }] = OWN.vectors as [Own['vectors'][number]];
  const parts = JSON.parse(stored) as Record<string, string>;
  for (const member of ['encrypted_data', 'iv', 'tag', 'encrypted_dek', 'dek_iv', 'dek_tag']) {
    const bytes = Buffer.from(parts[member] as string, 'base64');
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 1] = (flipped.at(-1) as number) ^ 1;
    const rest = Object.fromEntries(Object.entries(parts).filter(([name]) => name !== member));
    for (const [how, text] of [
      ['flipped', { ...parts, [member]: flipped.toString('base64') }], ['cut', { ...parts, [member]: bytes.subarray(0, -1).toString('base64') }],
      ['missing', rest], ['a number', { ...parts, [member]: 7 }], ['null', { ...parts, [member]: null }], ['no base64', { ...parts, [member]: '*' }],
    ] as const) t.equal(openEnvelope(JSON.stringify(text), KEY, [aad]), undefined, `${member} ${how}`);
  }
  for (const text of ['', '{', '[]', 'null', '"x"', '{}', 'rtsp://u:p@h/', ' '.repeat(100_000)]) t.equal(openEnvelope(text, KEY, [aad]), undefined);
  t.ok(isEnvelope(stored));
  t.notOk(isEnvelope('rtsp://h/'));
});

t.test('what we seal is opened again, and by PHP', async (t) => {
  const url = 'rtsp://ад:min@ "x"/ü@h/';
  const text = sealEnvelope(url, KEY, phpJson({ camera_id: 5 }), 1_795_189_553.9);
  t.match(JSON.parse(text), { key_version: keyVersion(KEY), cipher_method: 'aes-256-gcm', encrypted_at: 1_795_189_553 });
  t.equal(openEnvelope(text, KEY, possibleAads({ camera_id: 5, outlet_id: null })), url);
  t.not(sealEnvelope(url, KEY, '', 0), sealEnvelope(url, KEY, '', 0), 'a fresh key and fresh nonces each time');
  const script = '$b=json_decode($argv[1],true);$d=fn($n)=>base64_decode($b[$n]);$k=openssl_decrypt($d("encrypted_dek"),"aes-256-gcm",$argv[2],1,$d("dek_iv"),$d("dek_tag"));echo openssl_decrypt($d("encrypted_data"),"aes-256-gcm",$k,1,$d("iv"),$d("tag"),json_encode(["camera_id"=>5]));';
  const php = spawnSync('php', ['-r', script, text, OWN.key], { encoding: 'utf8', timeout: 60_000 });
  if (php.error !== undefined) t.comment('php-cli is not installed: not held against PHP itself');
  else t.equal(php.stdout, url);
});

t.test('AADs are those that the PHP side writes', async (t) => {
  t.same(possibleAads({ camera_id: 9, outlet_id: 3 }), ['{"outlet_id":"3"}', '{"outlet_id":3}', '{"camera_id":"9"}', '{"camera_id":9}', '{"outlet_id":0}', '']);
  t.same(possibleAads({ camera_id: 'camera_001', outlet_id: null }), ['{"camera_id":"camera_001"}', '{"outlet_id":0}', '']);
  t.equal(phpJson({ outlet_id: 'Queen St/Ōtara "A"' }), '{"outlet_id":"Queen St\\/\\u014ctara \\"A\\""}');
});

interface Vector { name: string; key: string; plaintext_utf8_base64: string; aad_json: string; db_value: string; php: { plaintext: string } }
interface Vectors {
  keys: Record<string, { raw_base64: string; key_version: string }>;
  must_decrypt: Vector[];
  must_fail: Vector[];
  php_accepts_but_strict_should_reject: Vector[];
  php_tolerates: Vector[];
}
const SHARED = '../shared/interop/stream_url_vectors.json';

t.test('every vector of the interop facts', { skip: existsSync(SHARED) ? false : 'the shared interop facts are not beside the clone' }, async (t) => {
  const { keys, must_decrypt, must_fail, php_accepts_but_strict_should_reject, php_tolerates } = JSON.parse(readFileSync(SHARED, 'utf8')) as Vectors;
  const keyOf = ({ key }: Vector) => Buffer.from(keys[key]?.raw_base64 ?? '', 'base64');
  for (const { raw_base64, key_version } of Object.values(keys)) {
    t.equal(keyVersion(Buffer.from(raw_base64, 'base64')), key_version);
    t.same(encryptionKey(raw_base64), Buffer.from(raw_base64, 'base64'), 'the form that the generator prints');
  }
  for (const vector of must_decrypt) {
    const url = openEnvelope(vector.db_value, keyOf(vector), [vector.aad_json]);
    t.equal(url === undefined ? undefined : Buffer.from(url).toString('base64'), vector.plaintext_utf8_base64, vector.name);
    if (url !== undefined && /^rtsps?:/.test(url)) t.doesNotThrow(() => parseStreamUrl(url), vector.name);
  }
  for (const vector of [...must_fail, ...php_accepts_but_strict_should_reject]) t.equal(openEnvelope(vector.db_value, keyOf(vector), [vector.aad_json]), undefined, vector.name);
  for (const vector of php_tolerates) t.equal(openEnvelope(vector.db_value, keyOf(vector), [vector.aad_json]), vector.php.plaintext, vector.name);
  t.same([must_decrypt.length, must_fail.length, php_accepts_but_strict_should_reject.length, php_tolerates.length], [16, 27, 7, 4]);
});
