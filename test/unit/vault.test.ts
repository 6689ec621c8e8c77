import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createVault, KEY_FILE, stateKey } from '../../src/store/vault.js';

t.test('what is sealed is opened, for the same purpose and with the same key only', async (t) => {
  const vault = createVault(Buffer.alloc(32, 1));
  const value = { a: [1, 2.5, 'ü'], deep: { b: null } };
  const box = vault.seal(value, 'x');
  t.same(vault.open(box, 'x'), value);
  t.same(vault.open(new Uint8Array(box), 'x'), value);
  t.notMatch(box.toString('latin1'), /deep/);
  t.equal(vault.open(box, 'y'), undefined);
  t.equal(createVault(Buffer.alloc(32, 2)).open(box, 'x'), undefined);
  for (let at = 0; at < box.length; at += 5) {
    const bad = Buffer.from(box);
    bad[at] = (bad[at] as number) ^ 4;
    t.equal(vault.open(bad, 'x'), undefined, `byte ${at}`);
  }
  for (const length of [0, 1, 28, box.length - 1]) t.equal(vault.open(box.subarray(0, length), 'x'), undefined);
  t.throws(() => createVault(Buffer.alloc(31)), RangeError);
});

t.test('the key file is made once, for its owner only', async (t) => {
  const folder = join(t.testdir(), 'state');
  const key = stateKey(folder);
  t.equal(key.length, 32);
  t.same(stateKey(folder), key);
  t.equal(statSync(join(folder, KEY_FILE)).mode & 0o777, 0o600);
  chmodSync(join(folder, KEY_FILE), 0o644);
  t.throws(() => stateKey(folder), { code: 'STATE_KEY', message: /expected mode 600, received 644/ });
  chmodSync(join(folder, KEY_FILE), 0o600);
  writeFileSync(join(folder, KEY_FILE), readFileSync(join(folder, KEY_FILE)).subarray(1));
  t.throws(() => stateKey(folder), { code: 'STATE_KEY', message: /expected 32 bytes, received 31/ });
});
