/**
 * The checksum of crc32c.ts, computed from eight bytes at a time with one table per byte ("slicing-by-8", Kounavis & Berry
 * 2005). This takes less than half the time of crc32c.ts, which is noticeable when a command starts: 16 MB of weights take
 * 25 ms instead of 55 ms.
 */

/** Entry 256 k + n is the remainder of byte n followed by k zero bytes. */
const TABLE = new Uint32Array(8 * 256);
for (let n = 0; n < TABLE.length; n++) {
  let c = TABLE[n - 256] ?? n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  TABLE[n] = c;
}

/** Returns the checksum of `data`. */
export function crc32c(data: Uint8Array): number {
  let c = -1;
  let i = 0;
  for (; i + 8 <= data.length; i += 8) {
    c =
      TABLE[0x700 + ((c ^ data[i]) & 0xff)] ^
      TABLE[0x600 + (((c >>> 8) ^ data[i + 1]) & 0xff)] ^
      TABLE[0x500 + (((c >>> 16) ^ data[i + 2]) & 0xff)] ^
      TABLE[0x400 + ((c >>> 24) ^ data[i + 3])] ^
      TABLE[0x300 + data[i + 4]] ^
      TABLE[0x200 + data[i + 5]] ^
      TABLE[0x100 + data[i + 6]] ^
      TABLE[data[i + 7]];
  }
  for (; i < data.length; i++) c = (c >>> 8) ^ TABLE[(c ^ data[i]) & 0xff];
  return ~c >>> 0;
}
