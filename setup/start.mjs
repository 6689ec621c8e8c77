// What `npm start` runs: set-up, then the daemon in this same process, so that a signal to `npm start` reaches it. Arguments go to the daemon.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const setup = spawn(process.execPath, [fileURLToPath(new URL('main.mjs', import.meta.url)), 'start'], { stdio: 'inherit' });
// Ctrl-C reaches set-up by itself (it is in the same process group); a SIGTERM to this process alone is passed on.
const hold = () => undefined;
const pass = (signal) => setup.kill(signal);
process.on('SIGINT', hold);
process.on('SIGTERM', pass);
const code = await new Promise((resolve) => setup.once('exit', (status, signal) => resolve(signal === null ? status : 130)));
process.off('SIGINT', hold);
process.off('SIGTERM', pass);
if (code !== 0) process.exit(code ?? 1);
await import('../dist/src/main.js');
