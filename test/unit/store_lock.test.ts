import t from 'tap';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lockState } from '../../src/store/lock.js';

t.test('one holder at a time, free again after a release', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sightline-lock-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const first = lockState(path.join(dir, 'state'));
  t.throws(() => lockState(path.join(dir, 'state')), { code: 'STATE_IN_USE' });
  first.release();
  lockState(path.join(dir, 'state')).release();
});
