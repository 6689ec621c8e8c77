/** Checks a tree that a person wrote against a schema: defaults filled in, all problems at once. */
import type { Static, TSchema } from '@sinclair/typebox';
import { withDefaults } from '../../config/load.js';
import { problemsOf } from '../../config/problems.js';
import { SightlineError, type ErrorCode } from '../../errors.js';

/** Fills in defaults and answers the value with its problems, `path: expected X, received Y`. */
export function checked<S extends TSchema>(schema: S, tree: unknown): { value: Static<S>; problems: string[] } {
  const value = withDefaults(schema, tree);
  return { value: value, problems: problemsOf(schema, value) };
}

/** One error for all problems of a file. */
export function refuse(code: ErrorCode, file: string, problems: readonly string[]): SightlineError {
  const title = `${file} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`;
  return new SightlineError(code, [title, ...problems].join('\n  '), { details: { problems } });
}
