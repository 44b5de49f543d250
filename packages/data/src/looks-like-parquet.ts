/** Returns whether the bytes begin like a Parquet file. This is not in parquet.ts, because that file is imported only if needed. */
export function looksLikeParquet(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && String.fromCharCode(...bytes.subarray(0, 4)) === 'PAR1';
}
