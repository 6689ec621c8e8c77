/** What `npm start` runs after set-up: the daemon, with the demo when nothing configures production. */
import { runDaemon } from './daemon.js';

const at = process.argv.indexOf('--config');
const config_file = at >= 0 ? process.argv[at + 1] : undefined;
process.exitCode = await runDaemon({ config_file, env: process.env, cwd: process.cwd(), demo: true });
