/** Damages bytes, and tests how a reader handles damaged files. */
import assert from 'node:assert/strict';
import { setBackend, UnrollError } from '@unroll/core';
import { Draw } from '../draw.js';
import { cpuTime, Meter } from '../meter.js';

/** Changes some bits or bytes. */
export function flip(bytes: Uint8Array, draw: Draw): Uint8Array {
  const out = bytes.slice();
  for (let n = 1 + draw.below(6); n > 0 && out.length > 0; n--) {
    const at = draw.below(out.length);
    out[at] = (out[at] ?? 0) ^ (draw.chance(0.5) ? 1 << draw.below(8) : 1 + draw.below(255));
  }
  return out;
}

/** Removes the end, or replaces a part by random bytes. */
export function cut(bytes: Uint8Array, draw: Draw): Uint8Array {
  const from = draw.below(bytes.length + 1);
  if (draw.chance(0.4)) return bytes.slice(0, from);
  const to = Math.min(bytes.length, from + 1 + draw.below(64));
  return new Uint8Array(
    Buffer.concat([bytes.subarray(0, from), draw.bytes(draw.below(64)), bytes.subarray(to)]),
  );
}

/** Repeats a part at another offset, up to 1000 times. */
export function repeat(bytes: Uint8Array, draw: Draw): Uint8Array {
  const from = draw.below(bytes.length);
  const part = bytes.subarray(from, from + 1 + draw.below(12));
  const copies = Array.from({ length: 1 + draw.below(draw.chance(0.2) ? 1000 : 4) }, () => part);
  const at = draw.below(bytes.length);
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), ...copies, bytes.subarray(at)]));
}

const NUMBERS = [0, 1, 2, 255, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** Replaces one or two integers of four bytes. */
export function forgeNumber(bytes: Uint8Array, draw: Draw): Uint8Array {
  const out = bytes.slice();
  if (out.length < 8) return out;
  const view = new DataView(out.buffer);
  view.setUint32(draw.below(out.length - 7), draw.from(NUMBERS), true);
  if (draw.chance(0.3)) view.setUint32(draw.below(out.length - 7), draw.from(NUMBERS), true);
  return out;
}

export const damage = (bytes: Uint8Array, draw: Draw): Uint8Array =>
  draw.from([flip, flip, cut, repeat, forgeNumber])(bytes, draw);

const MAX_CPU_MS = 2000;

export interface Budget {
  /** Reading may allocate `times` the size of the file, plus `more` bytes, as typed arrays and memory of the backend. */
  times: number;
  more: number;
}

/**
 * Reads damaged files, and asserts that each loads or causes an UnrollError within the limits of time and memory.
 * @param count number of files; UNROLL_MUTATIONS overrides it
 * @returns a summary in one line
 */
export async function judgeReader(
  count: number,
  { times, more }: Budget,
  attempt: (draw: Draw) => { bytes: Uint8Array; read(): Promise<void> },
): Promise<string> {
  const total = Number(process.env.UNROLL_MUTATIONS ?? count);
  const meter = new Meter();
  await setBackend(meter.backend());
  let [loaded, refused, slowest, largest] = [0, 0, 0, 0];
  for (let seed = 0; seed < total; seed++) {
    const { bytes, read } = attempt(new Draw(seed));
    meter.start();
    const began = cpuTime();
    try {
      await read();
      loaded++;
    } catch (error) {
      meter.stop();
      assert.ok(
        error instanceof UnrollError,
        `seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`,
      );
      refused++;
    } finally {
      meter.stop();
    }
    slowest = Math.max(slowest, cpuTime() - began);
    const budgetFraction = meter.bytes / (times * bytes.length + more);
    assert.ok(budgetFraction <= 1, `seed ${seed}: ${meter.bytes} bytes for a file of ${bytes.length}`);
    largest = Math.max(largest, budgetFraction);
    // The memory of models is released between turns of the event loop.
    if (seed % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  assert.ok(slowest < MAX_CPU_MS, `${slowest} ms`);
  assert.ok(loaded > 0 && refused > total / 4, `${loaded} loaded, ${refused} refused`);
  return `${loaded} loaded, ${refused} refused, slowest ${slowest.toFixed(0)} ms, ${(100 * largest).toFixed(0)} % of the memory budget`;
}
