/** Formats values for messages, in a few characters. */

/** The longest string that is shown completely. */
const LONGEST = 40;

/** `value` as in source code, abbreviated: `"32"`, `[1, 2, ...]`, `{ input, output }`, `a Date`, `a function`. */
export function shown(value: unknown, depth = 0): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) {
    if (depth > 2) return '[...]'; // an array may contain itself
    const entries = value.slice(0, 3).map((entry) => shown(entry, depth + 1));
    return list(entries, value.length, '[]');
  }
  const kind: unknown = value.constructor?.name;
  if (typeof kind === 'string' && kind !== 'Object') return `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;
  const keys = Object.keys(value);
  return list(keys.slice(0, 3), keys.length, '{}');
}

/** The first entries between brackets, followed by dots if there are more. */
function list(entries: readonly string[], count: number, brackets: '[]' | '{}'): string {
  if (count === 0) return brackets;
  const text = [...entries, ...(count > entries.length ? ['...'] : [])].join(', ');
  return brackets === '[]' ? `[${text}]` : `{ ${text} }`;
}
