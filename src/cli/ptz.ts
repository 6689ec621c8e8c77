/** `sightline ptz ...`: checks of PTZ cameras. */
import type { Argv } from 'yargs';
import type { CliContext } from './context.js';
import { ptzMonitorCommands } from './ptz_monitor.js';
import { ptzOffsetCommand } from './ptz_offset.js';

export function ptzCommand(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) => ptzMonitorCommands(cli)(ptzOffsetCommand(cli)(yargs)).demandCommand(1, 'ptz: expected one of init, collect, check, monitor, report, offset');
}
