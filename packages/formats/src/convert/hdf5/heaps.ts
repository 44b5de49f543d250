/**
 * Checks the global heaps of an HDF5 file, which contain strings of variable length. The HDF5 library walks from one object of
 * a heap to the next by their sizes. It can run forever if free space has the size 0 or an object is longer than the heap.
 */

/** `GCOL`, version 1, three reserved bytes. */
const SIGNATURE = [0x47, 0x43, 0x4f, 0x4c, 1, 0, 0, 0];
/** Size of the header of a heap, and also of the header of an object. */
const HEADER = 16;

/** Returns the offset of the first heap through which the library cannot walk to the end; null if there is none. */
export function damagedHeap(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = bytes.indexOf(SIGNATURE[0]); at >= 0; at = bytes.indexOf(SIGNATURE[0], at + 1)) {
    if (SIGNATURE.every((byte, i) => bytes[at + i] === byte) && isDamaged(view, at)) return at;
  }
  return null;
}

function isDamaged(view: DataView, start: number): boolean {
  if (start + HEADER > view.byteLength) return false;
  const size = Number(view.getBigUint64(start + 8, true));
  const end = Math.min(start + size, view.byteLength);
  for (let at = start + HEADER; at + HEADER <= end; ) {
    const index = view.getUint16(at, true);
    const length = Number(view.getBigUint64(at + 8, true));
    // The size of free space (index 0) includes its header. The size of an object does not, and its data is padded to 8 bytes.
    const next = index === 0 ? length : HEADER + Math.ceil(length / 8) * 8;
    if (next === 0 || at + next > start + size) return true;
    at += next;
  }
  return false;
}
