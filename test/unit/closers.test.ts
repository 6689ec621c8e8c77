import t from 'tap';
import { Closers } from '../../src/closers.js';

t.test('closes in reverse, once, and goes on past failures and hangs', async (t) => {
  const closed: string[] = [];
  const failed: unknown[] = [];
  const closers = new Closers({ error: (fields) => failed.push(fields.part) });
  closers.push('first', 1000, () => { closed.push('first'); });
  closers.push('hangs', 20, () => new Promise<void>(() => undefined));
  closers.push('throws', 1000, () => { throw new Error('no'); });
  closers.push('last', 1000, async () => { closed.push('last'); });
  await Promise.all([closers.closeAll(), closers.closeAll()]);
  await closers.closeAll();
  t.same(closed, ['last', 'first']);
  t.same(failed, ['throws', 'hangs']);
});
