/** True if the bytes begin like a Parquet file. In a file of its own, because the Parquet reader is imported only if needed. */
export function looksLikeParquet(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && String.fromCharCode(...bytes.subarray(0, 4)) === 'PAR1';
}
