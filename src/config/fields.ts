/** Building blocks of the configuration schema: a TypeBox field that always carries its description, default, bounds and environment variables. */
import { Type, type TBoolean, type TNumber, type TInteger, type TString, type TUnion, type TLiteral, type TOptional } from '@sinclair/typebox';

/** What a field may say beside its type. `env` lists the environment variables that set it, the first wins; `secret` values are never shown. */
export interface FieldOptions {
  env?: string[];
  secret?: boolean;
  /** A rule beyond the type, by name; see rules.ts. */
  rule?: string;
}

interface Bounds<T> extends FieldOptions {
  default: T;
  min: T;
  max: T;
}

export function num(description: string, { default: value, min, max, ...rest }: Bounds<number>): TNumber {
  return Type.Number({ description, default: value, minimum: min, maximum: max, ...rest });
}

export function int(description: string, { default: value, min, max, ...rest }: Bounds<number>): TInteger {
  return Type.Integer({ description, default: value, minimum: min, maximum: max, ...rest });
}

export function bool(description: string, value: boolean, options: FieldOptions = {}): TBoolean {
  return Type.Boolean({ description, default: value, ...options });
}

export function text(description: string, value: string, options: FieldOptions = {}): TString {
  return Type.String({ description, default: value, minLength: 1, maxLength: 1024, ...options });
}

/** Text without a default: absent means "not configured". */
export function optionalText(description: string, options: FieldOptions = {}): TOptional<TString> {
  return Type.Optional(Type.String({ description, minLength: 1, maxLength: 1024, ...options }));
}

export function optionalInt(description: string, { min, max, ...rest }: Omit<Bounds<number>, 'default'>): TOptional<TInteger> {
  return Type.Optional(Type.Integer({ description, minimum: min, maximum: max, ...rest }));
}

type Literals<T extends readonly string[]> = { -readonly [K in keyof T]: TLiteral<T[K]> };

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(description: string, values: T, value: T[number], options: FieldOptions = {}): TUnion<Literals<T>> {
  return Type.Union(values.map((word) => Type.Literal(word)), { description, default: value, ...options }) as unknown as TUnion<Literals<T>>;
}
