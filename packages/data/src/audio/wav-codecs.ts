/** The sample encodings of WAV files: the size of a sample, and its conversion to and from numbers with the full scale -1 to 1. */

/** `pcm16`: signed integers of 16 bits; `pcm8` is unsigned. `float32`: IEEE 754. `mulaw` and `alaw`: ITU-T G.711. */
export type WavEncoding = 'pcm8' | 'pcm16' | 'pcm24' | 'pcm32' | 'float32' | 'float64' | 'mulaw' | 'alaw';

export interface SampleCodec {
  /** Format tag of the `fmt ` chunk: 1 PCM, 3 float, 6 A-law, 7 mu-law. */
  tag: number;
  /** Size of a sample. */
  bytes: number;
  read(view: DataView, offset: number): number;
  /** Writes a value from -1 to 1. In integer encodings, it is rounded and clipped. */
  write(view: DataView, offset: number, value: number): void;
}

/** Returns a sample as a signed integer, rounded and clipped to its range. @param scale 2^(bits - 1) */
const quantize = (value: number, scale: number): number =>
  Math.max(-scale, Math.min(scale - 1, Math.round(value * scale)));

/** Reads a signed little-endian integer of 24 bits. */
const int24 = (view: DataView, offset: number): number =>
  view.getUint16(offset, true) | (view.getInt8(offset + 2) << 16);

function writeInt24(view: DataView, offset: number, value: number): void {
  view.setUint16(offset, value & 0xffff, true);
  view.setInt8(offset + 2, value >> 16);
}

export const CODECS: Readonly<Record<WavEncoding, SampleCodec>> = {
  pcm8: {
    ...{ tag: 1, bytes: 1 },
    read: (view, offset) => (view.getUint8(offset) - 128) / 128,
    write: (view, offset, value) => view.setUint8(offset, quantize(value, 128) + 128),
  },
  pcm16: {
    ...{ tag: 1, bytes: 2 },
    read: (view, offset) => view.getInt16(offset, true) / 2 ** 15,
    write: (view, offset, value) => view.setInt16(offset, quantize(value, 2 ** 15), true),
  },
  pcm24: {
    ...{ tag: 1, bytes: 3 },
    read: (view, offset) => int24(view, offset) / 2 ** 23,
    write: (view, offset, value) => writeInt24(view, offset, quantize(value, 2 ** 23)),
  },
  pcm32: {
    ...{ tag: 1, bytes: 4 },
    read: (view, offset) => view.getInt32(offset, true) / 2 ** 31,
    write: (view, offset, value) => view.setInt32(offset, quantize(value, 2 ** 31), true),
  },
  float32: {
    ...{ tag: 3, bytes: 4 },
    read: (view, offset) => view.getFloat32(offset, true),
    write: (view, offset, value) => view.setFloat32(offset, value, true),
  },
  float64: {
    ...{ tag: 3, bytes: 8 },
    read: (view, offset) => view.getFloat64(offset, true),
    write: (view, offset, value) => view.setFloat64(offset, value, true),
  },
  mulaw: {
    ...{ tag: 7, bytes: 1 },
    read: (view, offset) => fromMulaw(view.getUint8(offset)) / 2 ** 15,
    write: (view, offset, value) => view.setUint8(offset, toMulaw(quantize(value, 2 ** 15))),
  },
  alaw: {
    ...{ tag: 6, bytes: 1 },
    read: (view, offset) => fromAlaw(view.getUint8(offset)) / 2 ** 15,
    write: (view, offset, value) => view.setUint8(offset, toAlaw(quantize(value, 2 ** 15))),
  },
};

/** Mu-law of samples of 14 bits (G.711): with the offset `BIAS`, segments begin at powers of two. `CLIP`: largest magnitude. */
const BIAS = 33;
const CLIP = 8158;

/** Returns the signed 16-bit sample of a mu-law code. */
function fromMulaw(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 1) + BIAS) << ((bits & 0x70) >> 4)) - BIAS;
  return 4 * (bits & 0x80 ? 0 - magnitude : magnitude); // 0 - magnitude is never -0
}

/** Returns the mu-law code of a signed 16-bit sample. */
function toMulaw(sample: number): number {
  const value = sample >> 2;
  const magnitude = Math.min(Math.abs(value), CLIP) + BIAS;
  const segment = 26 - Math.clz32(magnitude); // 0 to 7: the magnitude has 6 to 13 bits
  const code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0f);
  return ~(value < 0 ? code | 0x80 : code) & 0xff;
}

/** Returns the signed 16-bit sample of an A-law code. */
function fromAlaw(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits & 0x70) >> 4;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

/** Returns the A-law code of a signed 16-bit sample. */
function toAlaw(sample: number): number {
  const magnitude = sample < 0 ? -sample - 1 : sample;
  const segment = Math.max(0, 24 - Math.clz32(magnitude));
  const step = segment === 0 ? magnitude >> 4 : magnitude >> (segment + 3);
  const code = (segment << 4) | (step & 0x0f);
  return (sample < 0 ? code : code | 0x80) ^ 0x55;
}
