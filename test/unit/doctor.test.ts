/** `sightline doctor`: each finding says how to mend it, and shows no secret. */
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { examine } from '../../src/service/doctor.js';

t.test('what is away is named with a way to mend it', async (t) => {
  const env = { PHP_CALLBACK_URL: 'http://user:hidden-word@127.0.0.1:1/x', DB_HOST: '127.0.0.1', DB_PORT: '1', DB_USER: 'reader', DB_NAME: 'x', STATE_DIR: t.testdir(), CV_PIPELINE_TOKEN: 'hidden-token-1234' };
  const findings = await examine({ root: process.cwd(), config: loadConfig({ env, cwd: '/' }) });
  const by = new Map(findings.map((one) => [one.name, one]));
  t.same([...by.keys()], ['node', 'ffmpeg', 'opencv', 'cascades', 'models', 'gpu', 'nvdec', 'state', 'database', 'callback']);
  t.match(by.get('database'), { state: 'failed', found: /ECONNREFUSED/ });
  t.match(by.get('callback'), { state: 'failed', found: /ECONNREFUSED/ });
  t.equal(by.get('state')?.state, 'ok');
  for (const one of findings) t.equal(one.mend === '', one.state === 'ok', `${one.name}: ${one.found}`);
  t.notMatch(JSON.stringify(findings), /hidden-/);
});
