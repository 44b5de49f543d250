// Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") in plain integers:
// an independent reference for the random streams of the kernels, checked against the test vectors of Random123.

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];

/** Returns the two output words for a key and a counter. */
export const threefry = (key: [number, number], counter: [number, number]): [number, number] => {
  const keys = [key[0] >>> 0, key[1] >>> 0, (0x1bd11bda ^ key[0] ^ key[1]) >>> 0];
  let x = (counter[0] + keys[0]) >>> 0;
  let y = (counter[1] + keys[1]) >>> 0;
  for (let round = 0; round < 20; round++) {
    const r = ROTATIONS[round % 8];
    x = (x + y) >>> 0;
    y = (((y << r) | (y >>> (32 - r))) ^ x) >>> 0;
    if (round % 4 === 3) {
      const s = (round + 1) / 4;
      x = (x + keys[s % 3]) >>> 0;
      y = (y + keys[(s + 1) % 3] + s) >>> 0;
    }
  }
  return [x, y];
};

/** Test vectors from the file kat_vectors of Random123: counter, key and result of threefry2x32 with 20 rounds. */
export const KNOWN_ANSWERS: [[number, number], [number, number], [number, number]][] = [
  [
    [0, 0],
    [0, 0],
    [0x6b200159, 0x99ba4efe],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x1cb996fc, 0xbb002be7],
  ],
  [
    [0x243f6a88, 0x85a308d3],
    [0x13198a2e, 0x03707344],
    [0xc4923a9c, 0x483df7a0],
  ],
];

/** Returns the first `count` words of the random stream with this key that starts at this counter. */
export const randomWords = (key: [number, number], counter: [number, number], count: number): number[] => {
  const out: number[] = [];
  let [low, high] = counter;
  while (out.length < count) {
    out.push(...threefry(key, [low, high]));
    low = (low + 1) >>> 0;
    if (low === 0) high = (high + 1) >>> 0;
  }
  return out.slice(0, count);
};
