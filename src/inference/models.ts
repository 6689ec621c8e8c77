/** Which networks run: those of the default manifest, with the user's own models in place of the slots they are for. */
import path from 'node:path';
import { loadManifest, type Manifest } from './manifest.js';
import type { ModelSlot } from './results.js';
import { withUserModels, type UserModelsOptions } from './user_models.js';

export interface LoadModelsOptions {
  /** Root of the installation: `models/` lies in it. */
  root: string;
  /** The `models` section of the configuration: a folder and a file by slot. */
  models?: { dir?: string | undefined } & Partial<Record<ModelSlot, string | undefined>>;
  /** Where wrapped models of the user's are kept; needed with `models`. */
  cache_dir?: string;
  log?: UserModelsOptions['log'];
}

const SILENT: UserModelsOptions['log'] = { info: () => undefined };

/** Errors: MODEL_MANIFEST; with own models MODEL_FORMAT and MODEL_MISSING. */
export async function loadModels({ root, models, cache_dir, log = SILENT }: LoadModelsOptions): Promise<Manifest> {
  const folder = path.join(root, 'models');
  const standard = await loadManifest(path.join(folder, 'manifest.json'), folder);
  if (models === undefined || cache_dir === undefined) return standard;
  const { dir, ...files } = models;
  return withUserModels(standard, { dir: dir ?? process.cwd(), files, cache_dir, log });
}
