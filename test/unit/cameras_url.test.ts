import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { parseStreamUrl, shownUrl } from '../../src/cameras/stream_url.js';
import { SightlineError } from '../../src/errors.js';

// typed, for libav, shown
const NETWORK: [string, string, string][] = [
  ['rtsp://192.168.1.100:554/stream', 'rtsp://192.168.1.100:554/stream', 'rtsp://192.168.1.100:554/stream'],
  ['rtsp://cam', 'rtsp://cam', 'rtsp://cam'],
  ['RTSP://cam/x', 'rtsp://cam/x', 'rtsp://cam/x'],
  ['rtsps://u:p@cam:322/x', 'rtsps://u:p@cam:322/x', 'rtsps://***@cam:322/x'],
  ['rtsp://admin:pass123@192.168.1.100:554/stream', 'rtsp://admin:pass123@192.168.1.100:554/stream', 'rtsp://***@192.168.1.100:554/stream'],
  ['rtsp://admin@cam/x', 'rtsp://admin@cam/x', 'rtsp://***@cam/x'],
  ['rtsp://admin:@cam/x', 'rtsp://admin:@cam/x', 'rtsp://***@cam/x'],
  ['rtsp://:pw@cam/x', 'rtsp://:pw@cam/x', 'rtsp://***@cam/x'],
  ['rtsp://admin:p@ss@word!@cam7.example.net:554/h264/ch1/main/av_stream', 'rtsp://admin:p%40ss%40word%21@cam7.example.net:554/h264/ch1/main/av_stream', 'rtsp://***@cam7.example.net:554/h264/ch1/main/av_stream'],
  ['rtsp://admin:a:b/c#d?e@cam7.example.net/ch1', 'rtsp://admin:a%3Ab%2Fc%23d%3Fe@cam7.example.net/ch1', 'rtsp://***@cam7.example.net/ch1'],
  ['rtsp://admin:p%40ss%2Fw%3Ard@cam7.example.net/ch1', 'rtsp://admin:p%40ss%2Fw%3Ard@cam7.example.net/ch1', 'rtsp://***@cam7.example.net/ch1'],
  ['rtsp://user:123456/x@h/x', 'rtsp://user:123456%2Fx@h/x', 'rtsp://***@h/x'],
  ['rtsp://admin:100%@cam/x', 'rtsp://admin:100%25@cam/x', 'rtsp://***@cam/x'],
  ['rtsp://admin:a b"c@cam/x', 'rtsp://admin:a%20b%22c@cam/x', 'rtsp://***@cam/x'],
  ['rtsp://café:пароль@kamera.example.org/Büro', 'rtsp://caf%C3%A9:%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C@kamera.example.org/B%C3%BCro', 'rtsp://***@kamera.example.org/Büro'],
  ['rtsp://u:🔐@h/1', 'rtsp://u:%F0%9F%94%90@h/1', 'rtsp://***@h/1'],
  ['rtsp://root:root@[2001:db8::17]:8554/live', 'rtsp://root:root@[2001:db8::17]:8554/live', 'rtsp://***@[2001:db8::17]:8554/live'],
  ['rtsp://[::1]/live', 'rtsp://[::1]/live', 'rtsp://[::1]/live'],
  ['rtsp://u:a/b@[::1]:554/live', 'rtsp://u:a%2Fb@[::1]:554/live', 'rtsp://***@[::1]:554/live'],
  ['  rtsp://u:p@h/3\n', 'rtsp://u:p@h/3', 'rtsp://***@h/3'],
  ['rtsp://h/cam/realmonitor?channel=1&subtype=0', 'rtsp://h/cam/realmonitor?channel=1&subtype=0', 'rtsp://h/cam/realmonitor?channel=1&subtype=0'],
  ['rtsp://h/x?user=admin&password=geheim&ch=1', 'rtsp://h/x?user=admin&password=geheim&ch=1', 'rtsp://h/x?user=***&password=***&ch=1'],
  ['rtsp://h/user=admin_password=geheim_channel=1', 'rtsp://h/user=admin_password=geheim_channel=1', 'rtsp://h/user=***'],
  ['rtsp://cam_1.local:8554/a', 'rtsp://cam_1.local:8554/a', 'rtsp://cam_1.local:8554/a'],
  ['rtsp://bücher.example/a', 'rtsp://xn--bcher-kva.example/a', 'rtsp://xn--bcher-kva.example/a'],
  // an @ in the path: the host is right, what is shown gives away nothing that may be a password
  ['rtsp://admin:p@ss/w:rd@cam/h', 'rtsp://admin:p@ss/w:rd@cam/h', 'rtsp://***@cam/h'],
  ['rtsp://10.0.0.1:554/user@domain/1', 'rtsp://10.0.0.1:554/user@domain/1', 'rtsp://***@domain/1'],
];

t.test('network streams: credentials are encoded for libav and left out of what is shown', async (t) => {
  for (const [typed, native_url, shown] of NETWORK) {
    const parsed = parseStreamUrl(typed);
    t.same([parsed.kind, parsed.native_url, parsed.shown], ['rtsp', native_url, shown], typed);
  }
});

t.test('what is sent to libav decodes to what was typed', async (t) => {
  for (const password of ['simple', 'p@ss', 'a:b', 'a/b', 'a?b', 'a#b', 'ä', '密碼', "q'uote", '[x]', 'a+b', '50%', 'a b', '\\', '^', '|', '@@', ':::']) {
    const url = new URL(parseStreamUrl(`rtsp://us-er:${password}@host.example:554/p`).native_url.replace('rtsp', 'http'));
    t.equal(decodeURIComponent(url.password), password, password);
    t.same([url.hostname, url.username, url.pathname], ['host.example', 'us-er', '/p']);
  }
});

t.test('the passwords are named as secrets in each spelling', async (t) => {
  t.same(new Set(parseStreamUrl('rtsp://u:p%40s@h/').secrets), new Set(['u:p%40s', 'p%40s', 'p@s']));
  t.ok(parseStreamUrl('rtsp://u:p@s@h/').secrets.includes('p%40s'));
  t.ok(parseStreamUrl('rtsp://h/x?pwd=geheim').secrets.includes('geheim'));
  t.same(parseStreamUrl('rtsp://h/x').secrets, []);
});

t.test('other sources', async (t) => {
  const rows: [string, string, string, string][] = [
    ['/dev/video0', 'v4l2', '/dev/video0', '/dev/video0'],
    ['v4l2:///dev/video12', 'v4l2', '/dev/video12', '/dev/video12'],
    ['v4l2://3', 'v4l2', '/dev/video3', '/dev/video3'],
    ['/dev/v4l/by-id/usb-Cam_1-video-index0', 'v4l2', '/dev/v4l/by-id/usb-Cam_1-video-index0', '/dev/v4l/by-id/usb-Cam_1-video-index0'],
    ['/srv/clips/a b.mp4', 'file', '/srv/clips/a b.mp4', '/srv/clips/a b.mp4'],
    ['./clip.mp4', 'file', './clip.mp4', './clip.mp4'],
    ['../clip.mp4', 'file', '../clip.mp4', '../clip.mp4'],
    ['file:///srv/a%20b.mp4', 'file', '/srv/a b.mp4', '/srv/a b.mp4'],
    ['lavfi:testsrc=size=640x360:rate=6', 'lavfi', 'testsrc=size=640x360:rate=6', 'lavfi:testsrc=size=640x360:rate=6'],
  ];
  for (const [typed, kind, native_url, shown] of rows) t.same(parseStreamUrl(typed), { kind, native_url, shown, secrets: [] }, typed);
});

t.test('what is refused says what was expected and has no part of the credentials', async (t) => {
  const bad = [
    '', '   ', 'cam1', 'http://user:geheim@h/x', 'ftp://user:geheim@h', 'rtsp:/user:geheim@h', 'rtsp://', 'rtsp:///path', 'rtsp://user:geheim@', 'rtsp://user:geheim@/x',
    'rtsp://user:geheim@host:0/x', 'rtsp://user:geheim@host:65536/x', 'rtsp://user:geheim@host:port/x', 'rtsp://user:geheim@-host/x', 'rtsp://user:geheim@ho st/x',
    'rtsp://user:geheim@a..b/x', 'rtsp://user:geheim@[::1/x', 'rtsp://user:geheim\u0007@h/x', 'rtsp://user:12345/geheim@h/x', 'rtsp://user:geh/eim', 'file://user:geheim@host/x', '/dev/sda', 'v4l2:///etc/passwd',
    'lavfi:', `rtsp://user:geheim@h/${'x'.repeat(5000)}`, 'javascript:alert(1)', '[ENCRYPTED - Decryption Failed]',
  ];
  for (const typed of bad) {
    try {
      parseStreamUrl(typed, 'cameras[2].url');
      t.fail(`accepted ${typed}`);
    } catch (error) {
      t.ok(error instanceof SightlineError && error.code === 'CAMERA_INVALID', typed);
      t.match((error as Error).message, /^cameras\[2\]\.url: expected .*received /);
      t.notMatch((error as Error).message, /geheim|user:|12345/);
    }
    t.notMatch(shownUrl(typed), /geheim|user:|12345/, `shown: ${shownUrl(typed)}`);
  }
});

const VECTORS = '../shared/interop/stream_url_vectors.json';
t.test('URLs of the PHP system', { skip: existsSync(VECTORS) ? false : `${VECTORS} is not here` }, async (t) => {
  const { must_decrypt } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { must_decrypt: { name: string; plaintext: string }[] };
  t.ok(must_decrypt.length >= 10);
  for (const { name, plaintext } of must_decrypt) {
    if (plaintext === '' || plaintext.startsWith('http')) {
      t.throws(() => parseStreamUrl(plaintext), { code: 'CAMERA_INVALID' }, name);
      continue;
    }
    const { native_url, shown, secrets } = parseStreamUrl(plaintext);
    const url = new URL(native_url.replace('rtsp', 'http'));
    t.ok(url.hostname !== '' && url.password !== '', name);
    const password = decodeURIComponent(url.password);
    t.ok(plaintext.includes(password) || plaintext.includes(url.password), `${name}: the password is that of the URL`);
    t.ok(secrets.includes(password));
    t.notOk(shown.includes(`:${password}@`), `${name}: ${shown}`);
    t.match(shown, /^rtsp:\/\/\*\*\*@/);
  }
});
