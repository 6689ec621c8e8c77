/** What the service manager is told: only what is so, and the watchdog only while work advances. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { withCredentials } from '../../src/config/credentials.js';
import type { Part } from '../../src/progress.js';
import { createSupervisor, watchdogMs, type Supervisor } from '../../src/service/supervisor.js';

function told(t: Test, env: Record<string, string>): { supervisor: Supervisor; messages: string[]; warnings: string[]; clock: { ms: number }; fault: { text: string } } {
  const messages: string[] = [];
  const warnings: string[] = [];
  const clock = { ms: 0 };
  const fault = { text: '' };
  const note = (_fields: Record<string, unknown>, message: string): void => void warnings.push(message);
  const supervisor = createSupervisor({
    env: { NOTIFY_SOCKET: '@x', ...env }, pid: 7, log: { warn: note, error: note }, now_ms: () => clock.ms,
    send: (address, message) => { t.equal(address, '@x'); messages.push(message); return fault.text; },
  });
  return { supervisor, messages, warnings, clock, fault };
}

t.test('ready, status, reload, stop', async (t) => {
  const { supervisor, messages } = told(t, {});
  supervisor.ready('listening\nREADY=0');
  supervisor.status('3/3 cameras');
  supervisor.reloading();
  supervisor.stopping();
  t.same(messages.slice(0, 2), ['READY=1\nSTATUS=listening READY=0', 'STATUS=3/3 cameras'], 'a line break starts no other variable');
  t.match(messages[2] ?? '', /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  t.equal(messages[3], 'STOPPING=1');
});

t.test('the watchdog hears of progress, not of time', async (t) => {
  const { supervisor, messages, warnings, clock } = told(t, { WATCHDOG_USEC: '400000', WATCHDOG_PID: '7' });
  const inference: Part = { name: 'inference', done: 0, waiting: true, limit_ms: 1_000 };
  const end = supervisor.watch(() => [{ ...inference }]);
  t.teardown(end);
  const looks = async (n: number): Promise<number> => {
    const before = messages.length;
    await new Promise((resolve) => setTimeout(resolve, n * 100 + 60));
    return messages.length - before;
  };
  t.same(messages, ['WATCHDOG=1'], 'at once');
  t.equal(await looks(3), 0, 'nothing advances: not fed, although the timer runs');
  inference.done = 5;
  t.ok((await looks(2)) >= 1, 'it advances');
  clock.ms += 2_000;
  t.equal(await looks(3), 0);
  t.match(warnings, [/work does not advance/]);
  inference.waiting = false;
  t.ok((await looks(2)) >= 1, 'idle is no hang');
});

t.test('no manager, no watchdog, or that of another process: silence', async (t) => {
  t.equal(watchdogMs({}, 7), null);
  t.equal(watchdogMs({ WATCHDOG_USEC: '1000000', WATCHDOG_PID: '8' }, 7), null);
  t.equal(watchdogMs({ WATCHDOG_USEC: '1000000' }, 7), 1_000);
  const { supervisor, messages } = told(t, { NOTIFY_SOCKET: '' });
  supervisor.ready('x');
  supervisor.watch(() => [])();
  t.same(messages, []);
});

t.test('a manager that cannot be told is said once', async (t) => {
  const { supervisor, warnings, fault } = told(t, {});
  fault.text = 'No such file or directory';
  supervisor.ready('x');
  supervisor.status('y');
  t.equal(warnings.length, 1);
});

t.test('credentials stand for the variables of their names', async (t) => {
  const folder = path.join(t.testdir(), 'credentials');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'sightline_CV_PIPELINE_TOKEN'), 'token-of-the-service\n');
  writeFileSync(path.join(folder, 'DB_PASSWORD'), 'p w');
  writeFileSync(path.join(folder, 'other.txt'), 'not ours');
  const config = loadConfig({ env: { CREDENTIALS_DIRECTORY: folder }, cwd: '/' });
  t.equal(config.php_system.auth_token, 'token-of-the-service');
  t.equal(config.database.password, 'p w');
  t.throws(() => loadConfig({ env: { CREDENTIALS_DIRECTORY: folder, CV_PIPELINE_TOKEN: 'another' }, cwd: '/' }), { code: 'CONFIG_INVALID', message: /CV_PIPELINE_TOKEN: expected one value/ });
  t.throws(() => withCredentials({ CREDENTIALS_DIRECTORY: path.join(folder, 'none') }), { code: 'CONFIG_INVALID' });
  writeFileSync(path.join(folder, 'DB_PASSWORD'), 'x'.repeat(10_000));
  t.throws(() => withCredentials({ CREDENTIALS_DIRECTORY: folder }), { message: /at most 8192 bytes/ });
});
