/** Resolves initialisers, regularisers and constraints given as a name, or as a name with options. */
import { valueError } from '@unroll/core';
import { formatValue, nameHint } from '@unroll/core/internal';

/**
 * Returns the name and the options of `spec`, which is a name or an object with both.
 * @param kind `initializer`, `regularizer` or `constraint`, for the error
 * @throws UnrollError `value` for a name that is not in `table`; the message suggests the nearest name or lists all
 */
export function nameAndOptions<N extends string>(
  kind: string,
  table: Readonly<Record<N, unknown>>,
  spec: N | { className: N; config: Readonly<Record<string, unknown>> },
  owner: string,
): { className: N; config: Readonly<Record<string, unknown>> } {
  const hasOptions = typeof spec === 'object' && spec !== null && typeof spec.className === 'string';
  const { className, config = {} } = hasOptions ? spec : { className: spec as N };
  if (typeof className === 'string' && Object.hasOwn(table, className)) return { className, config };
  throw valueError(
    `${owner && `${owner}: `}there is no ${kind} ${formatValue(className)}. ${nameHint(className, Object.keys(table))}`,
    { owner, className },
  );
}
