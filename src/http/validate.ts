/** Checks of requests with the messages of the configuration: `priority: expected an integer from 1 to 10, received 0`. Bodies are taken as they are, texts of URLs are converted to numbers. */
import type { TSchema } from '@sinclair/typebox';
import type { FastifySchemaCompiler } from 'fastify';
import { problemsOf } from '../config/problems.js';
import { SightlineError } from '../errors.js';

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  return (given: unknown) => {
    // A POST without a body arrives as undefined or null: the same as an empty object.
    const value: unknown = httpPart === 'body' ? (given ?? {}) : withNumbers(schema, given);
    const problems = problemsOf(schema, value);
    if (problems.length === 0) return { value };
    return { error: new SightlineError('REQUEST_INVALID', problems.join('; '), { details: { problems, part: httpPart } }) };
  };
};

/** TypeBox's own conversion would make 1 of "1.5". */
function withNumbers(schema: TSchema, given: unknown): unknown {
  const { properties = {} } = schema as { properties?: Record<string, TSchema> };
  const isNumber = (key: string) => properties[key]?.type === 'integer' || properties[key]?.type === 'number';
  const convert = (key: string, value: unknown) => (isNumber(key) && typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value);
  return Object.fromEntries(Object.entries(given ?? {}).map(([key, value]): [string, unknown] => [key, convert(key, value)]));
}
