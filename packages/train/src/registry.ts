/** Resolves names of losses, metrics, optimizers and schedules, as written by users and in artifacts. */
import { valueError } from '@unroll/core';
import { formatValue, nameHint } from '@unroll/core/internal';

/** A name and its options, as stored in JSON. */
export interface NamedConfig {
  readonly name: string;
  readonly [option: string]: unknown;
}

/** An object with its name and its options, such as an optimizer. */
export interface ConfiguredObject {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Returns the object that `spec` describes.
 * @param kind the kind of object in error messages, for example `loss`
 * @param table the functions that create the objects, by name
 * @param spec a name (default options), a name with options, or the object itself
 * @param hint appended to the error about an unknown name
 * @throws UnrollError `value` for an unknown name (the message lists the known ones) or an unknown option
 */
export function resolve<T extends ConfiguredObject>(
  kind: string,
  table: Readonly<Record<string, (options: never) => T>>,
  spec: string | NamedConfig | T,
  hint = '',
): T {
  if (typeof spec === 'object' && spec !== null && 'config' in spec) return spec as T;
  const { name, ...options } = typeof spec === 'string' ? { name: spec } : ((spec ?? {}) as NamedConfig);
  if (typeof name !== 'string' || typeof spec === 'function') {
    const article = /^[aeiou]/.test(kind) ? 'An' : 'A';
    throw valueError(
      `${article} ${kind} must be a name, { name, ...options }, or an object created by a function such as ` +
        `${Object.keys(table)[0]}(), got ${formatValue(spec)}.`,
    );
  }
  if (!Object.hasOwn(table, name)) {
    throw valueError(
      `There is no ${kind} ${formatValue(name)}. ${nameHint(name, Object.keys(table))}${hint}`,
      {
        name,
      },
    );
  }
  return table[name](options as never);
}

/** Returns the name and options of an object as JSON; {@link resolve} creates an equal object from them. */
export function configOf({ name, config }: ConfiguredObject): NamedConfig {
  return { name, ...config };
}
