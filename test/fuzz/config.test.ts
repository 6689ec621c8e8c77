/** Configuration files of any content: a configuration, or CONFIG_INVALID; no crash, no hang, no secret in the message. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { tried } from '../fixtures/fuzz.js';

const SECRET = 'fuzzed-secret-value';
const SECTIONS = ['php_system', 'cameras', 'processing', 'detection', 'delivery', 'models', 'capture', 'server', 'database', 'logging', 'state_dir', 'unknown', '__proto__'];
const KEYS = ['fps', 'batch_size', 'timezone', 'callback_url', 'port', 'host', 'providers', 'level', 'priority_threshold', 'constructor'];

t.test('any JSON and any text', async (t) => {
  const file = path.join(t.testdir(), 'config.json');
  const load = (text: string): void => {
    writeFileSync(file, text);
    try {
      loadConfig({ file, env: {}, cwd: '/' });
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code !== 'CONFIG_INVALID' || message.includes(SECRET)) throw error;
    }
  };
  const section = fc.dictionary(fc.constantFrom(...KEYS), fc.jsonValue());
  const like = fc.dictionary(fc.constantFrom(...SECTIONS), fc.oneof(section, fc.jsonValue()));
  await tried(t, { values: fc.jsonValue(), holds: (value) => { load(JSON.stringify(value)); }, runs: 300, limit_ms: 4_000 });
  const withSecret = (value: Record<string, unknown>): object => ({ ...value, php_system: { auth_token: `${SECRET} ${SECRET}`, ...(value['php_system'] as object | undefined) } });
  await tried(t, { values: like, holds: (value) => { load(JSON.stringify(withSecret(value))); }, runs: 500, limit_ms: 4_000 });
  await tried(t, { values: fc.string(), holds: load, runs: 300, limit_ms: 2_000 });
  t.pass('nothing but CONFIG_INVALID');
});

t.test('any environment', async (t) => {
  const names = ['ANALYSIS_FPS', 'BATCH_SIZE', 'PORT', 'HOST', 'PHP_CALLBACK_URL', 'CV_PIPELINE_TOKEN', 'DB_PASSWORD', 'DB_PASS', 'FRAUD_ENCRYPTION_KEY', 'STATE_DIR', 'LOG_LEVEL'];
  await tried(t, {
    values: fc.dictionary(fc.constantFrom(...names), fc.string()), runs: 500, limit_ms: 4_000,
    holds(env) {
      try {
        loadConfig({ env, cwd: '/' });
      } catch (error) {
        if ((error as { code?: string }).code !== 'CONFIG_INVALID') throw error;
      }
    },
  });
  t.pass('nothing but CONFIG_INVALID');
});
