/**
 * float16 (IEEE 754 half precision): 1 sign, 5 exponent and 10 fraction bits. Numbers from 2^-14 on have 11
 * significant bits, smaller ones are multiples of 2^-24, and 65504 is the largest.
 */
import { valueError } from './errors.js';

const LARGEST = 65504;

/** Doubles from here on are integers: adding and subtracting it rounds to an integer, ties to even. */
const WHOLE = 2 ** 52;

/** Converts float16 bits to a number. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * The bits of the nearest float16 of each value, ties to even.
 * @param name the name of the weight, for the error
 * @throws UnrollError `value` for a number beyond ±65504 and for NaN
 */
export function toFloat16Bits(values: ArrayLike<number>, name: string): Uint16Array {
  const word = new DataView(new ArrayBuffer(8));
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (!(size <= LARGEST)) throw beyond(name, i, values[i]);
    word.setFloat64(0, values[i]);
    const high = word.getUint32(0);
    // Subnormal numbers have the spacing of the smallest normal ones.
    const exponent = Math.max(((high >>> 20) & 0x7ff) - 1023, -14);
    // In units of the last digit. The leading 1, and a carry out of the fraction, add to the exponent field.
    const steps = size * 2 ** (10 - exponent) + WHOLE - WHOLE;
    bits[i] = ((high >>> 16) & 0x8000) | (steps + (exponent + 14) * 1024);
  }
  return bits;
}

function beyond(name: string, position: number, value: number): Error {
  return valueError(
    `Weight ${name} must be within ±${LARGEST} for float16, got ${value} at position ${position}. Leave the model in ` +
      'float32.',
    { name, position, value },
  );
}
