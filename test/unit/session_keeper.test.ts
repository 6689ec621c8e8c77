/** Models and devices that fail: skipped with their state visible, tried again later, moved to the CPU when the GPU is gone, and all of it said. */
import t from 'tap';
import { NetworkStates } from '../../src/inference/network_states.js';
import type { NetworkFailure, Provider } from '../../src/inference/protocol.js';
import { SessionKeeper } from '../../src/inference/session_keeper.js';

interface FakeSession { name: string; close(): Promise<void> }

function world(providers: Provider[], broken: Set<string> = new Set()) {
  const clock = { ms: 0 };
  const opened: string[] = [];
  const closed: string[] = [];
  const keeper = new SessionKeeper<FakeSession>({
    networks: ['faces', 'objects'],
    providers,
    now_ms: () => clock.ms,
    open: async (network, tried) => {
      const refusals: { provider: Provider; message: string }[] = [];
      for (const provider of tried) {
        const name = `${network} on ${provider}`;
        if (broken.has(name)) {
          refusals.push({ provider, message: 'no device' });
          continue;
        }
        opened.push(name);
        return { session: { name, close: async () => { closed.push(name); } }, status: { network, provider, refusals, load_ms: 1 } };
      }
      return { session: null, status: { network, provider: null, refusals, load_ms: 1 } };
    },
  });
  const fails = (network: string, more: Partial<NetworkFailure> = {}): NetworkFailure[] => [{ network, message: 'out of memory', ...more }];
  const status = (network: string) => keeper.statuses().find((one) => one.network === network);
  return { keeper, clock, opened, closed, fails, status, broken };
}

t.test('ML model error: a model that fails again and again is skipped, the rest goes on, and it is tried again later', async (t) => {
  const { keeper, clock, fails, status, opened } = world(['cpu']);
  await keeper.openAll();
  keeper.note(fails('faces'), ['objects']);
  keeper.note([], ['faces', 'objects']);
  for (let i = 0; i < 2; i++) keeper.note(fails('faces'), ['objects']);
  t.ok(keeper.session('faces'), 'single failures, with successes between them, are no reason');
  keeper.note(fails('faces'), ['objects']);
  t.equal(keeper.session('faces'), null);
  t.match(status('faces'), { state: 'suspended', failures: 4, last_error: 'out of memory' });
  t.ok(keeper.session('objects'), 'the rest goes on');
  for (let i = 0; i < 5; i++) keeper.note(fails('faces', { skipped: true }), ['objects']);
  t.equal(status('faces')?.failures, 4, 'not having been run is no failure');

  await keeper.mend();
  t.equal(keeper.session('faces'), null, 'not yet');
  clock.ms = 10_000;
  await keeper.mend();
  t.ok(keeper.session('faces'), 'tried again, in a new session');
  t.equal(opened.filter((name) => name.startsWith('faces')).length, 2);
  keeper.note(fails('faces'), []);
  t.equal(keeper.session('faces'), null, 'one more failure is enough now');
  clock.ms = 29_000;
  await keeper.mend();
  t.equal(keeper.session('faces'), null, 'it waits twice as long');
  clock.ms = 30_000;
  await keeper.mend();
  keeper.note([], ['faces']);
  t.match(status('faces'), { state: 'running' });
});

t.test('GPU lost: the CPU takes over before the next batch; without one left the model is suspended', async (t) => {
  const { keeper, fails, status, closed, broken } = world(['cuda', 'cpu']);
  await keeper.openAll();
  keeper.takeChanges();
  t.equal(keeper.session('faces')?.name, 'faces on cuda');
  keeper.note(fails('faces'), []);
  await keeper.mend();
  t.equal(keeper.session('faces')?.name, 'faces on cpu');
  t.same(closed, ['faces on cuda']);
  t.match(status('faces'), { provider: 'cpu', refusals: [{ provider: 'cuda', message: 'out of memory' }], state: 'running' });
  t.match(keeper.takeChanges(), [{ network: 'faces', provider: 'cpu' }]);
  t.same(keeper.takeChanges(), []);
  broken.add('objects on cpu');
  keeper.note(fails('objects'), []);
  await keeper.mend();
  t.match(status('objects'), { state: 'suspended' });
});

t.test('a model that no provider takes is missing from the start', async (t) => {
  const { keeper, status } = world(['cpu'], new Set(['faces on cpu']));
  await keeper.openAll();
  t.equal(keeper.session('faces'), null);
  t.match(status('faces'), { state: 'missing', provider: null });
  keeper.note([{ network: 'faces', message: 'not loaded', skipped: true }], []);
  t.match(status('faces'), { state: 'missing', failures: 0 });
});

t.test('what is shown is the worst that any worker says, and each change is said', async (t) => {
  const said: string[] = [];
  const say = (level: string) => (fields: Record<string, unknown>, message: string) => void said.push(`${level} ${(fields.code as string | undefined) ?? ''} ${message}`);
  const running = { network: 'faces', provider: 'cuda' as const, refusals: [], load_ms: 1, state: 'running' as const, failures: 0, last_error: '' };
  const states = new NetworkStates([running], { info: say('info'), warn: say('warn'), error: say('error') });
  states.note(1, [{ ...running, failures: 1, last_error: 'gone' }]);
  states.note(1, [{ ...running, provider: 'cpu', failures: 1, last_error: 'gone' }]);
  states.note(2, [{ ...running, failures: 3, state: 'suspended' }]);
  states.note(1, [{ ...running, provider: 'cpu', failures: 2 }]);
  t.match(states.all, [{ network: 'faces', state: 'suspended', failures: 5 }]);
  states.note(2, [{ ...running, provider: 'cpu', failures: 3 }]);
  t.match(states.all, [{ state: 'running', provider: 'cpu' }]);
  t.match(said[0], /^warn MODEL_FAILED/);
  t.match(said[1], /^error PROVIDER_LOST model faces failed on cuda and runs on cpu now/);
  t.match(said[2], /^error MODEL_SUSPENDED/);
  states.note(2, [{ ...running, provider: 'cpu', failures: 4, state: 'suspended' }]);
  states.note(2, [{ ...running, provider: 'cpu', failures: 4 }]);
  t.match(said.at(-1), /^info {2}model faces is tried again/);
});
