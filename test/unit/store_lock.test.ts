import t from 'tap';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lockCamera, lockState } from '../../src/store/lock.js';

t.test('one holder at a time, free again after a release', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sightline-lock-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const first = lockState(path.join(dir, 'state'));
  t.throws(() => lockState(path.join(dir, 'state')), { code: 'STATE_IN_USE' });
  first.release();
  lockState(path.join(dir, 'state')).release();
});

t.test('a PTZ camera has one driver; other cameras and the daemon go on', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sightline-lock-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const first = lockCamera(dir, 'north/site/onvifcam-1');
  t.throws(() => lockCamera(dir, 'north/site/onvifcam-1'), { code: 'PTZ_BUSY', message: /north\/site\/onvifcam-1/ });
  lockCamera(dir, 'north/site/onvifcam-2').release();
  lockState(dir).release();
  first.release();
  lockCamera(dir, 'north/site/onvifcam-1').release();
});

t.test('a folder that cannot be: a code and a reason, at once', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sightline-lock-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const file = path.join(dir, 'file');
  await writeFile(file, '');
  t.throws(() => lockState(file), { code: 'STATE_UNUSABLE', message: /file: it, or a part of it, is a file \(STATE_DIR names another\)$/ });
  t.throws(() => lockState(path.join(file, 'below')), { code: 'STATE_UNUSABLE', message: /a part of it, is a file/ });
  // Node's own recursive mkdir never comes back from here.
  if (existsSync('/proc/self')) t.throws(() => lockState('/proc/sightline/state'), { code: 'STATE_UNUSABLE', message: /it cannot be made there/ });
  const deep = path.join(dir, 'a', 'b');
  lockState(deep).release();
  t.equal(statSync(deep).mode & 0o777, 0o700, 'for its owner only');
});
