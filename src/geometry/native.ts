/** The only importer of geometry.node. */
import { loadAddon, membersOf } from '../native_addon.js';
import type { GeometryAddon } from './types.js';

const GEOMETRY_FUNCTIONS = membersOf<GeometryAddon>({
  info: 0,
  setSimdTarget: 0,
  fitGaze: 0,
  projectGaze: 0,
  matchFeatures: 0,
  estimateOffset: 0,
});

let loaded: GeometryAddon | undefined;

/**
 * Loads geometry.node; once, further calls answer the same object.
 * @throws SightlineError NATIVE_LOAD_FAILED, NATIVE_SIMD: see loadAddon.
 */
export function loadGeometry(): GeometryAddon {
  return (loaded ??= loadAddon<GeometryAddon>({ file: 'geometry.node', members: GEOMETRY_FUNCTIONS, remedy: 'run `npm run build:native`' }));
}
