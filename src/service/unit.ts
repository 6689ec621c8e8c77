/** The unit of systemd, made from systemd/sightline.service for one installation. Pure. */

export interface UnitPlaces {
  /** Absolute path of the node binary. */
  node: string;
  /** Where the installation lies. */
  home: string;
  config_file: string;
  credentials: string;
  environment_file: string;
  /** Groups of the machine: those of the unit that are missing would keep it from starting. */
  groups: readonly string[];
}

/** Paths as the unit in the clone has them. */
export const UNIT_DEFAULTS: Omit<UnitPlaces, 'groups'> = {
  node: '/usr/bin/node',
  home: '/opt/sightline',
  config_file: '/etc/sightline/config.json',
  credentials: '/etc/sightline/credentials',
  environment_file: '/etc/sightline/environment',
};

export function renderUnit(template: string, places: UnitPlaces): string {
  return template
    .split('\n')
    .flatMap((line) => {
      const groups = /^SupplementaryGroups=(.*)$/.exec(line)?.[1];
      if (groups === undefined) return [line];
      const there = groups.split(' ').filter((group) => places.groups.includes(group));
      return there.length === 0 ? [] : [`SupplementaryGroups=${there.join(' ')}`];
    })
    .map((line) => (line.startsWith('#') ? line : placed(line, places)))
    .join('\n');
}

function placed(line: string, places: UnitPlaces): string {
  const keys = Object.keys(UNIT_DEFAULTS) as (keyof typeof UNIT_DEFAULTS)[];
  return keys.reduce((text, key) => text.replaceAll(UNIT_DEFAULTS[key], escaped(places[key])), line);
}

/** `%` starts a specifier of systemd, a blank ends a word. */
function escaped(path: string): string {
  const text = path.replaceAll('%', '%%');
  return /[\s"'\\]/.test(text) ? `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"` : text;
}
