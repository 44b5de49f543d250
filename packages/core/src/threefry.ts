/**
 * Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): a
 * counter-based generator. Word i of a stream is a pure function of (key, counter, i), so every machine, thread and
 * backend computes the same integer. packages/kernels/cpp/random.cpp implements the same function in C++.
 */
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

const rotate = (x: number, n: number): number => (x << n) | (x >>> (32 - n));

/** Returns the two output words for a key and a counter, as unsigned 32-bit integers. */
export function threefry2x32(
  key: readonly [number, number],
  counter: readonly [number, number],
): [number, number] {
  const keySchedule = [key[0] | 0, key[1] | 0, (PARITY ^ key[0] ^ key[1]) | 0];
  let x0 = (counter[0] + keySchedule[0]) | 0;
  let x1 = (counter[1] + keySchedule[1]) | 0;
  for (let round = 0; round < 20; round++) {
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, ROTATIONS[round % 8]) ^ x0;
    if (round % 4 === 3) {
      const s = (round + 1) / 4;
      x0 = (x0 + keySchedule[s % 3]) | 0;
      x1 = (x1 + keySchedule[(s + 1) % 3] + s) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** Returns word `i` of the stream that begins at block `counter` (an integer below 2^53). A block is two words. */
export function randomWord(key: readonly [number, number], counter: number, i: number): number {
  const block = counter + Math.floor(i / 2);
  return threefry2x32(key, [block >>> 0, Math.floor(block / 2 ** 32)])[i % 2];
}
