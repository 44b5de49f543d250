/** Formats values for error messages. */

/** Longer strings are cut to this length. */
const MAX_LENGTH = 40;

/** Returns `value` abbreviated, as in source code: `"32"`, `[1, 2, ...]`, `{ input, output }`, `a Date`. */
export function formatValue(value: unknown, depth = 0): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > MAX_LENGTH ? `${value.slice(0, MAX_LENGTH)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) {
    if (depth > 2) return '[...]'; // an array may contain itself
    const entries = value.slice(0, 3).map((entry) => formatValue(entry, depth + 1));
    return joinEntries(entries, value.length, '[]');
  }
  const kind: unknown = value.constructor?.name;
  if (typeof kind === 'string' && kind !== 'Object') return `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;
  const keys = Object.keys(value);
  return joinEntries(keys.slice(0, 3), keys.length, '{}');
}

/** Joins the first of `count` entries in brackets, followed by dots if there are more. */
function joinEntries(entries: readonly string[], count: number, brackets: '[]' | '{}'): string {
  if (count === 0) return brackets;
  const text = [...entries, ...(count > entries.length ? ['...'] : [])].join(', ');
  return brackets === '[]' ? `[${text}]` : `{ ${text} }`;
}
