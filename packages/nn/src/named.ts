/** Objects given by name and options as plain data: initialisers, regularisers, constraints. */
import { valueError } from '@unroll/core';
import { nameHint, shown } from '@unroll/core/internal';

/**
 * The name and options of `how`, which is a name or an object with both.
 * @param kind the kind of object, for the error
 * @throws UnrollError `value` for a name that is not in `table`; the message suggests the nearest one or lists all
 */
export function named<N extends string>(
  kind: string,
  table: Readonly<Record<N, unknown>>,
  how: N | { className: N; config: Readonly<Record<string, unknown>> },
  owner: string,
): { className: N; config: Readonly<Record<string, unknown>> } {
  const known = typeof how === 'object' && how !== null && typeof how.className === 'string';
  const { className, config = {} } = known ? how : { className: how as N };
  if (typeof className === 'string' && Object.hasOwn(table, className)) return { className, config };
  throw valueError(
    `${owner && `${owner}: `}there is no ${kind} ${shown(className)}. ${nameHint(className, Object.keys(table))}`,
    { owner, className },
  );
}
