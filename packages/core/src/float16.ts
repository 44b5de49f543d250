/**
 * Conversions between numbers and float16 (IEEE 754 half precision): 1 sign, 5 exponent and 10 fraction bits. Numbers of
 * at least 2^-14 have 11 significant bits, smaller ones are multiples of 2^-24, and the largest is 65504.
 */
import { valueError } from './errors.js';

const MAX_FLOAT16 = 65504;

/** Adding and subtracting 2^52 rounds a smaller double to an integer, ties to even. */
const ROUNDING_OFFSET = 2 ** 52;

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
 * Converts each value to the bits of the nearest float16, ties to even.
 * @param name the name of the weight, for the error
 * @throws UnrollError `value` for NaN and for numbers beyond ±65504
 */
export function toFloat16Bits(values: ArrayLike<number>, name: string): Uint16Array {
  const word = new DataView(new ArrayBuffer(8));
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]);
    if (!(magnitude <= MAX_FLOAT16)) throw rangeError(name, i, values[i]);
    word.setFloat64(0, values[i]);
    const high = word.getUint32(0);
    // Subnormal numbers have the spacing of the smallest normal ones.
    const exponent = Math.max(((high >>> 20) & 0x7ff) - 1023, -14);
    // The magnitude in units of the last fraction bit. Its leading 1, and a carry, add to the exponent field below.
    const units = magnitude * 2 ** (10 - exponent) + ROUNDING_OFFSET - ROUNDING_OFFSET;
    bits[i] = ((high >>> 16) & 0x8000) | (units + (exponent + 14) * 1024);
  }
  return bits;
}

function rangeError(name: string, position: number, value: number): Error {
  return valueError(
    `Weight ${name} must be within ±${MAX_FLOAT16} for float16, got ${value} at index ${position}. Leave the model in ` +
      'float32.',
    { name, position, value },
  );
}
