/** Choosing by name: losses, metrics, optimizers and schedules from what users and artifacts write down. */
import { valueError } from '@unroll/core';

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
 * @throws UnrollError `value` for an unknown name (with those there are) or an unknown option
 */
export function resolve<T extends Configured>(
  kind: string,
  table: Readonly<Record<string, (options: never) => T>>,
  spec: string | NamedConfig | T,
): T {
  if (typeof spec === 'object' && 'config' in spec) return spec as T;
  const { name, ...options } = typeof spec === 'string' ? { name: spec } : (spec as NamedConfig);
  if (!Object.hasOwn(table, name)) {
    throw valueError(`There is no ${kind} "${name}". Choose one of ${Object.keys(table).join(', ')}.`, {
      name,
    });
  }
  const made = table[name](options as never);
  const unknown = Object.keys(options).find((option) => !(option in made.config));
  if (unknown === undefined) return made;
  throw valueError(
    `The ${kind} ${name} has no option "${unknown}". Its options are ${Object.keys(made.config).join(', ')}.`,
    { name, option: unknown },
  );
}

/** The name and options that make the same thing again, as JSON. */
export function configOf({ name, config }: Configured): NamedConfig {
  return { name, ...config };
}
