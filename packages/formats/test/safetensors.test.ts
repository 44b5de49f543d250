/** The safetensors reader and writer: round trips of random files, and errors for all kinds of invalid files. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnrollError } from '@unroll/core';
import {
  floatsOf,
  readSafetensors,
  type SafetensorsType,
  type StoredTensor,
  storeFloats,
  writeSafetensors,
} from '@unroll/formats';
import { Draw } from './draw.js';

const SIZES = {
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E5M2: 1, F8_E4M3: 1, U16: 2, I16: 2, F16: 2, BF16: 2 },
  ...{ U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8, C64: 8 },
} satisfies Partial<Record<SafetensorsType, number>>;
const NAMES = [
  'lstm/kernel',
  '',
  ' ',
  'ü✓𝄞',
  '"quoted"\\',
  '__proto__',
  'constructor',
  'a\nb',
  '0',
  'x'.repeat(300),
];

function drawFile(draw: Draw): { tensors: Map<string, StoredTensor>; metadata: Map<string, string> } {
  const tensors = new Map<string, StoredTensor>();
  for (let n = draw.below(6); n > 0; n--) {
    const dtype = draw.from(Object.keys(SIZES) as (keyof typeof SIZES)[]);
    const shape = Array.from({ length: draw.below(4) }, () => draw.below(5));
    const bytes = draw.bytes(shape.reduce((size, extent) => size * extent, SIZES[dtype]));
    tensors.set(draw.from(NAMES), { dtype, shape, bytes });
  }
  const metadata = new Map<string, string>();
  for (let n = draw.below(3); n > 0; n--) metadata.set(draw.from(NAMES), draw.from(NAMES));
  return { tensors, metadata };
}

describe('random files are unchanged after writing and reading', () => {
  for (let seed = 0; seed < 300; seed++) {
    test(`seed ${seed}`, () => {
      const { tensors, metadata } = drawFile(new Draw(seed));
      const file = writeSafetensors(tensors, metadata);
      // At an offset in a larger buffer, as Node often returns files.
      const larger = new Uint8Array(file.length + 5);
      larger.set(file, 3);
      const found = readSafetensors(larger.subarray(3, 3 + file.length));
      assert.deepEqual(new Map([...found.metadata].sort()), new Map([...metadata].sort()));
      assert.deepEqual([...found.tensors.keys()].sort(), [...tensors.keys()].sort());
      for (const [name, { dtype, shape, bytes }] of tensors) {
        const stored = found.tensors.get(name)!;
        assert.deepEqual([stored.dtype, stored.shape, [...stored.bytes]], [dtype, shape, [...bytes]]);
      }
      assert.deepEqual(Buffer.from(writeSafetensors(found.tensors, found.metadata)).length, file.length);
    });
  }
});

/** Returns a file with a header and `length` bytes of values. @param stated header length; default: the true length */
function fileOf(header: string, length: number, stated?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + length);
  new DataView(file.buffer).setBigUint64(0, stated ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const entry = (shape: unknown, from: unknown, to: unknown, dtype: unknown = 'F32'): string =>
  JSON.stringify({ dtype, shape, data_offsets: [from, to] });

describe('rejects everything that the specification forbids', () => {
  const a = `"a":${entry([2], 0, 8)}`;
  const cases: [string, Uint8Array, RegExp][] = [
    ['no bytes', new Uint8Array(0), /at least 8 bytes, got 0\./],
    ['an incomplete length', new Uint8Array(7), /at least 8 bytes, got 7\./],
    ['a header beyond the file', fileOf('{}', 0, 3n), /header length must be at most 2 bytes, got 3/],
    [
      'a header of 2^53 bytes',
      fileOf('{}', 0, 2n ** 53n),
      /header length must be at most 2 bytes, got 9007199254740992/,
    ],
    ['a header of 2^64 - 1 bytes', fileOf('{}', 0, 2n ** 64n - 1n), /header length must be at most 2 bytes/],
    ['an empty header', fileOf('', 4), /does not begin with "\{"/],
    ['space before the header', fileOf(` {${a}}`, 8), /does not begin with "\{"/],
    ['an array', fileOf('[]', 0), /does not begin with "\{"/],
    ['truncated JSON', fileOf(`{${a}`, 8), /not valid JSON: .*after property value/],
    [
      'a second object after the JSON',
      fileOf(`{${a}}{}`, 8),
      /not valid JSON: Unexpected non-whitespace character after JSON at position/,
    ],
    ['not UTF-8', fileOf('{"\xff":1}', 0).map((byte) => (byte === 0xc3 ? 0xff : byte)), /not UTF-8/],
    [
      'a duplicate name',
      fileOf(`{${a},"a":${entry([2], 8, 16)}}`, 16),
      /not valid JSON: duplicate key "a" at position/,
    ],
    [
      'a duplicate name with an escape',
      fileOf(`{${a},"\\u0061":${entry([2], 8, 16)}}`, 16),
      /duplicate key "\S+" at position/,
    ],
    [
      'a duplicate field',
      fileOf('{"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}', 0),
      /duplicate key "\S+" at position/,
    ],
    ['a gap before the first tensor', fileOf(`{"a":${entry([1], 4, 8)}}`, 8), /a gap before tensor "a"/],
    ['a gap between two tensors', fileOf(`{${a},"b":${entry([1], 12, 16)}}`, 16), /a gap before tensor "b"/],
    ['an overlap', fileOf(`{${a},"b":${entry([2], 4, 12)}}`, 12), /an overlap with tensor "b"/],
    ['bytes after the last tensor', fileOf(`{${a}}`, 9), /1 bytes follow the last tensor/],
    ['values without tensors', fileOf('{}', 4), /4 bytes follow the last tensor/],
    ['truncated values', fileOf(`{${a}}`, 7), /must ascend and be at most 7, got 0 and 8/],
    ['an unknown dtype', fileOf(`{"a":${entry([2], 0, 8, 'F33')}}`, 8), /unknown dtype "F33"/],
    [
      'a dtype that is a property of all objects',
      fileOf(`{"a":${entry([2], 0, 8, 'toString')}}`, 8),
      /unknown dtype "toString"/,
    ],
    [
      'a shape with too few values',
      fileOf(`{"a":${entry([3], 0, 8)}}`, 8),
      /8 bytes, does not match its shape \[3\] and dtype F32/,
    ],
    [
      'a product beyond 2^53',
      fileOf(`{"a":${entry([2 ** 40, 2 ** 40], 0, 8)}}`, 8),
      /8 bytes, does not match its shape/,
    ],
    [
      'a product of 2^64 that wraps to 0',
      fileOf(`{"a":${entry([2 ** 32, 2 ** 32], 0, 0)}}`, 0),
      /0 bytes, does not match its shape/,
    ],
    ['a negative extent', fileOf(`{"a":${entry([-2], 0, 8)}}`, 8), /not a list of integers/],
    ['a fractional extent', fileOf(`{"a":${entry([0.5], 0, 2)}}`, 2), /not a list of integers/],
    ['an extent that is a string', fileOf(`{"a":${entry(['2'], 0, 8)}}`, 8), /not a list of integers/],
    [
      'an extent beyond 2^53',
      fileOf('{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,8]}}', 8),
      /not a list/,
    ],
    [
      'descending offsets',
      fileOf(`{"a":${entry([0], 8, 0)}}`, 8),
      /must ascend and be at most 8, got 8 and 0/,
    ],
    [
      'only one offset',
      fileOf('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0]}}', 0),
      /not two integers/,
    ],
    ['a negative offset', fileOf(`{"a":${entry([2], -8, 0)}}`, 0), /not two integers/],
    ['no shape', fileOf('{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8), /not a list of integers/],
    [
      'an unknown field',
      fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', 8),
      /unknown field "x"/,
    ],
    ['an entry that is a number', fileOf('{"a":1}', 0), /entry of tensor "a" is not an object/],
    ['metadata that are not strings', fileOf('{"__metadata__":{"a":1}}', 0), /metadata "a" is not a string/],
    ['metadata that are a list', fileOf('{"__metadata__":["a"]}', 0), /__metadata__ is not an object/],
    ['nesting that is too deep', fileOf(`{"a":${'['.repeat(5000)}`, 0), /more than 64 nested levels/],
    ['a bare NaN', fileOf('{"a":NaN}', 0), /not valid JSON: .*token/],
    ['a number with a leading zero', fileOf('{"a":01}', 0), /not valid JSON: .*position 6/],
    ['a trailing comma', fileOf(`{${a},}`, 8), /not valid JSON: .*property name/],
    ['a control character in a string', fileOf('{"a\u0001":1}', 0), /not valid JSON: .*Bad /],
    ['a bad escape', fileOf('{"\\x":1}', 0), /not valid JSON: .*Bad /],
  ];
  for (const [name, file, message] of cases) {
    test(name, () => {
      assert.throws(
        () => readSafetensors(file),
        (error: UnrollError) => {
          assert.equal(error.code, 'format');
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});

test('reads everything that the specification allows', () => {
  const padded = fileOf(`{"a":${entry([2], 0, 8)}}     `, 8);
  assert.equal(readSafetensors(padded).tensors.size, 1);
  const empty = fileOf(`{"b":${entry([0, 7], 0, 0)},"a":${entry([], 0, 4)},"c":${entry([0], 4, 4)}}`, 4);
  assert.deepEqual([...readSafetensors(empty).tensors.keys()].sort(), ['a', 'b', 'c']);
  assert.equal(readSafetensors(fileOf('{}', 0)).tensors.size, 0);
  const four = fileOf(`{"a":${entry([3, 2], 0, 3, 'F4')}}`, 3);
  assert.equal(readSafetensors(four).tensors.get('a')!.bytes.length, 3);
});

test('the writer aligns tensors and rejects invalid ones', () => {
  const tensors = new Map([
    ['bytes', { dtype: 'U8' as const, shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
    ['floats', storeFloats(Float32Array.of(1, 2), [2])],
    ['doubles', storeFloats(Float64Array.of(1), [])],
  ]);
  const file = writeSafetensors(tensors);
  for (const { bytes, dtype } of readSafetensors(file).tensors.values()) {
    assert.equal((bytes.byteOffset - file.byteOffset) % SIZES[dtype as keyof typeof SIZES], 0, dtype);
  }
  const short = new Map([['a', { dtype: 'F32' as const, shape: [3], bytes: new Uint8Array(8) }]]);
  assert.throws(() => writeSafetensors(short), UnrollError);
  const reserved = new Map([['__metadata__', storeFloats(Float32Array.of(1), [1])]]);
  assert.throws(() => writeSafetensors(reserved), UnrollError);
});

describe('elements of all data types are converted to numbers', () => {
  const words = (list: readonly number[], bytes: 1 | 2): Uint8Array => {
    const out = new DataView(new ArrayBuffer(list.length * bytes));
    list.forEach((word, i) => void (bytes === 1 ? out.setUint8(i, word) : out.setUint16(2 * i, word, true)));
    return new Uint8Array(out.buffer);
  };
  const cases: [SafetensorsType, Uint8Array, number[]][] = [
    [
      'F16',
      words([0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x0400, 0x3555], 2),
      [
        ...[
          1,
          -2,
          65504,
          2 ** -24,
          -0,
          Number.POSITIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          2 ** -14,
          0.333251953125,
        ],
      ],
    ],
    [
      'BF16',
      words([0x3f80, 0xc000, 0x7f80, 0x8000, 0x3eab, 0x0001], 2),
      [...[1, -2, Number.POSITIVE_INFINITY, -0, 0.333984375, 2 ** -133]],
    ],
    ['I8', words([0, 127, 128, 255], 1), [0, 127, -128, -1]],
    ['U8', words([0, 127, 128, 255], 1), [0, 127, 128, 255]],
    ['BOOL', words([0, 1], 1), [0, 1]],
    ['U16', words([0, 65535], 2), [0, 65535]],
    ['I16', words([0x7fff, 0x8000], 2), [32767, -32768]],
    ['I32', new Uint8Array(Int32Array.of(-5, 2 ** 31 - 1).buffer), [-5, 2 ** 31 - 1]],
    ['U32', new Uint8Array(Uint32Array.of(2 ** 32 - 1).buffer), [2 ** 32 - 1]],
    ['I64', new Uint8Array(BigInt64Array.of(-5n, 2n ** 53n).buffer), [-5, 2 ** 53]],
    ['U64', new Uint8Array(BigUint64Array.of(2n ** 63n).buffer), [2 ** 63]],
    ['F32', new Uint8Array(Float32Array.of(1.5, -0).buffer), [1.5, -0]],
    ['F64', new Uint8Array(Float64Array.of(0.1).buffer), [0.1]],
  ];
  for (const [dtype, bytes, expected] of cases) {
    test(dtype, () => {
      const shifted = new Uint8Array(bytes.length + 1); // at an odd address
      shifted.set(bytes, 1);
      const found = floatsOf({ dtype, shape: [expected.length], bytes: shifted.subarray(1) }, 'a');
      assert.deepEqual([...found], expected);
    });
  }
  test('F16: NaN is read as NaN', () => {
    assert.deepEqual(
      [...floatsOf({ dtype: 'F16', shape: [1], bytes: words([0x7e00], 2) }, 'a')],
      [Number.NaN],
    );
  });
  test('8-bit floats cannot be converted', () => {
    const stored: StoredTensor = { dtype: 'F8_E4M3', shape: [1], bytes: Uint8Array.of(1) };
    assert.throws(() => floatsOf(stored, 'a'), /"a" has the data type F8_E4M3.*Convert it to F32/);
  });
});
