/** Damages and forges files, for tests of readers. */
import type { Draw } from './draw.js';

/** JSON values with which a forger might replace a value. */
const FORGED = [
  ...[
    '0',
    '-1',
    '1',
    '2',
    '3',
    '7',
    '0.5',
    '1e9',
    '1e308',
    '-0',
    '4294967296',
    '9007199254740993',
    '18446744073709551615',
  ],
  ...[
    'null',
    'true',
    '""',
    '"x"',
    '[]',
    '{}',
    '[[]]',
    '"__proto__"',
    '"constructor"',
    '{"__proto__":{"units":1}}',
  ],
  ...[
    '"Sequential"',
    '"LSTM"',
    '"Functional"',
    '"tanh"',
    '"softmax"',
    '[1e9,1e9]',
    '[-1,-1,-1]',
    '"../../etc/passwd"',
  ],
];
const JSON_PART = /"(?:[^"\\]|\\.)*"(?=\s*[:,\]}\n])|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null|\[\]/g;

/** Replaces up to three values of a JSON text. */
export function forgeJson(text: string, draw: Draw): string {
  const found = [...text.matchAll(JSON_PART)];
  const edits = 1 + draw.below(3);
  let out = text;
  for (let n = 0; n < edits && found.length > 0; n++) {
    const at = draw.below(found.length);
    const { index, 0: part } = found[at]!;
    const by = draw.chance(0.3) ? found[draw.below(found.length)]![0] : draw.from(FORGED);
    if (out.slice(index, index + part.length) === part)
      out = out.slice(0, index) + by + out.slice(index + part.length);
  }
  return out;
}

/** Changes bits or bytes. */
export function flip(bytes: Uint8Array, draw: Draw): Uint8Array {
  const out = bytes.slice();
  for (let n = 1 + draw.below(8); n > 0 && out.length > 0; n--) {
    out[draw.below(out.length)]! ^= draw.chance(0.5) ? 1 << draw.below(8) : 1 + draw.below(255);
  }
  return out;
}

/** Removes the end, or replaces a part by random bytes. */
export function cut(bytes: Uint8Array, draw: Draw): Uint8Array {
  const from = draw.below(bytes.length + 1);
  if (draw.chance(0.5)) return bytes.slice(0, from);
  const to = Math.min(bytes.length, from + 1 + draw.below(64));
  const added = draw.bytes(draw.below(64));
  return new Uint8Array(Buffer.concat([bytes.subarray(0, from), added, bytes.subarray(to)]));
}
