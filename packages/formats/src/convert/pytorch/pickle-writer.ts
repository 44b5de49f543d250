/** Writes a state dict in the format of torch.save (a zip with a pickle), for torch.load(weights_only=True). */
import type { FloatArray, Shape } from '@unroll/core';
import { encodeUtf8 } from '@unroll/core/internal';
import { toZip } from '../../zip.js';

export interface NamedTensor {
  name: string;
  shape: Shape;
  values: FloatArray;
}

/** Appends the opcodes of a pickle, protocol 2. */
class Pickler {
  readonly #bytes: number[] = [0x80, 2];

  op(...codes: number[]): this {
    this.#bytes.push(...codes);
    return this;
  }

  text(text: string): this {
    const bytes = encodeUtf8(text);
    this.op(0x58).uint32(bytes.length); // BINUNICODE
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  integer(value: number): this {
    // BININT for integers of at most 31 bits, otherwise LONG1
    if (value > 0x7fffffff)
      return this.op(0x8a, 8)
        .uint32(value % 2 ** 32)
        .uint32(Math.floor(value / 2 ** 32));
    return this.op(0x4a).uint32(value);
  }

  tuple(values: readonly number[]): this {
    this.op(MARK);
    for (const value of values) this.integer(value);
    return this.op(TUPLE);
  }

  global(module: string, name: string): this {
    this.op(0x63);
    for (const byte of encodeUtf8(`${module}\n${name}\n`)) this.#bytes.push(byte);
    return this;
  }

  uint32(value: number): this {
    return this.op(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }

  done(): Uint8Array {
    return Uint8Array.from(this.op(0x2e).#bytes);
  }
}

const [MARK, TUPLE, EMPTY_TUPLE, REDUCE, PERSISTENT, FALSE, SET_ITEMS] = [
  0x28, 0x74, 0x29, 0x52, 0x51, 0x89, 0x75,
];

/** Returns the bytes of a .pt file with float32 tensors. Each tensor has a separate storage. */
export function writeStateDict(tensors: readonly NamedTensor[]): Uint8Array {
  const pickle = new Pickler();
  const orderedDict = (): Pickler => pickle.global('collections', 'OrderedDict').op(EMPTY_TUPLE, REDUCE);
  orderedDict().op(MARK);
  const files = new Map<string, Uint8Array>();
  tensors.forEach(({ name, shape, values }, i) => {
    pickle.text(name).global('torch._utils', '_rebuild_tensor_v2').op(MARK);
    pickle.op(MARK).text('storage').global('torch', 'FloatStorage').text(`${i}`).text('cpu');
    pickle.integer(values.length).op(TUPLE, PERSISTENT);
    pickle.integer(0).tuple(shape).tuple(stridesOf(shape)).op(FALSE);
    orderedDict().op(TUPLE, REDUCE);
    const floats = values instanceof Float32Array ? values : Float32Array.from(values);
    files.set(`archive/data/${i}`, new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
  });
  pickle.op(SET_ITEMS);
  return toZip(
    new Map([
      ['archive/data.pkl', pickle.done()],
      ['archive/byteorder', encodeUtf8('little')],
      ...files,
      ['archive/version', encodeUtf8('3\n')],
    ]),
  );
}

const stridesOf = (shape: Shape): number[] =>
  shape.map((_, d) => shape.slice(d + 1).reduce((product, extent) => product * extent, 1));
