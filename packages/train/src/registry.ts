/** Choosing by name: losses, metrics, optimizers and schedules from what users and artifacts write down. */
import { valueError } from '@unroll/core';
import { nameHint, shown } from '@unroll/core/internal';

/** A name with its options beside it, as JSON keeps it. */
export interface NamedConfig {
  readonly name: string;
  readonly [option: string]: unknown;
}

/** Something made from options that knows its name and its options. */
export interface Configured {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Makes what `spec` asks for: a name (default options), a name with options, or the thing itself.
 * @param kind what it is, for the error
 * @param hint follows the error of an unknown name
 * @throws UnrollError `value` for an unknown name (with those there are) or an unknown option
 */
export function resolve<T extends Configured>(
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
      `${article} ${kind} is given by name, by { name, ...options } or as what its function returns, ` +
        `got ${shown(spec)}.`,
    );
  }
  if (!Object.hasOwn(table, name)) {
    throw valueError(`There is no ${kind} ${shown(name)}. ${nameHint(name, Object.keys(table))}${hint}`, {
      name,
    });
  }
  return table[name](options as never);
}

/** The name and options that make the same thing again, as JSON. */
export function configOf({ name, config }: Configured): NamedConfig {
  return { name, ...config };
}
