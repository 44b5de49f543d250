/** Returns the concatenation of arrays. */
export function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const filled = parts.filter(({ length }) => length > 0);
  const result = new Float32Array(filled.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of filled) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
