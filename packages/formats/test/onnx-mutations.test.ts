/**
 * Damaged and forged ONNX files. Each file must load or cause an UnrollError. No file may crash or hang the reader, or make it
 * allocate more memory than a fixed multiple of the file's size (plus 64 MiB). The environment variable MUTATIONS sets the
 * number of files, and MUTATIONS_FROM the first seed. Files that were built for a known attack are tested, too.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { setBackend, UnrollError } from '@unroll/core';
import { bytesSource, formatNamed, formatOfFile } from '@unroll/formats/convert';
import { fileSource } from '@unroll/formats/convert/node';
import { Draw } from './draw.js';
import { cpuTime, Meter } from './meter.js';
import { changeModel, type Message, readMessage } from './onnx-message.js';

const COUNT = Number(process.env.MUTATIONS ?? 500);
const FIRST_SEED = Number(process.env.MUTATIONS_FROM ?? 0);
/** An import may allocate typed arrays of `times` the size of the file, plus `more` bytes. */
const BUDGET = { times: 4, more: 64 << 20 };
const MAX_CPU_MS = 2000;

const folder = new URL('../../testkit/goldens/formats/onnx/', import.meta.url);
const NAMES = [
  ...['classifier-script', 'classifier-opset7', 'stacked-dynamo', 'stateful-opset7', 'convolutions-opset8'],
  ...['translator-script', 'packed-script', 'heads-dynamo', 'mixed-dynamo', 'wide-script', 'means-script'],
];
const files = NAMES.map((name) => new Uint8Array(readFileSync(new URL(`${name}.onnx`, folder))));
const messages = await Promise.all(files.map(readMessage));
const onnx = await formatNamed('onnx');
const meter = new Meter();
setBackend(meter.backend());

/** Numbers with which a forger might replace a number. */
const NUMBERS = [
  0,
  1,
  -1,
  2,
  3,
  7,
  65,
  1000,
  2 ** 20,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 40,
  Number.MAX_SAFE_INTEGER,
  0.5,
];
const TEXTS = [
  '',
  'x',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  'LSTM',
  'Reshape',
  'Concat',
  'input_0',
  'batch',
];

/** Returns all values of a message, each as the object or list that contains it and its key. */
function valuesIn(message: Message): [Message, string | number][] {
  const found: [Message, string | number][] = [];
  const visit = (value: Message): void => {
    for (const [key, field] of Object.entries(value) as [string, Message][]) {
      found.push([value, Array.isArray(value) ? Number(key) : key]);
      if (typeof field === 'object' && field !== null && !(field instanceof Uint8Array)) visit(field);
    }
  };
  visit(message);
  return found;
}

/** Replaces, removes or repeats values of a message. */
function forge(message: Message, draw: Draw): Uint8Array {
  return changeModel(message, (_, model) => {
    for (let edits = 1 + draw.below(3); edits > 0; edits--) {
      const values = valuesIn(model);
      const [owner, key] = draw.from(values);
      const value = owner[key];
      if (Array.isArray(owner) && draw.chance(0.3)) {
        if (draw.chance(0.5)) owner.splice(key as number, 1);
        else owner.push(...structuredClone(owner.slice(0, 1 + draw.below(owner.length))));
      } else if (typeof value === 'number')
        owner[key] = key === 'f' ? draw.from(NUMBERS) : Math.trunc(draw.from(NUMBERS));
      else if (typeof value === 'string')
        owner[key] = draw.chance(0.5) ? draw.from(TEXTS) : otherText(values, draw);
      else if (value instanceof Uint8Array)
        owner[key] = draw.bytes(draw.chance(0.5) ? value.length : draw.below(64));
    }
  });
}

/** Returns another string of the message. */
function otherText(values: [Message, string | number][], draw: Draw): string {
  const texts = values.map(([owner, key]) => owner[key]).filter((value) => typeof value === 'string');
  return draw.from(texts) as string;
}

function damage(bytes: Uint8Array, draw: Draw): Uint8Array {
  const out = bytes.slice();
  if (draw.chance(0.3)) return out.slice(0, draw.below(out.length));
  if (draw.chance(0.3)) {
    const from = draw.below(out.length);
    const added = draw.bytes(draw.below(16));
    return Uint8Array.from([...out.subarray(0, from), ...added, ...out.subarray(from + draw.below(16))]);
  }
  for (let n = 1 + draw.below(8); n > 0; n--) out[draw.below(out.length)]! ^= 1 << draw.below(8);
  return out;
}

interface Tally {
  loaded: number;
  refused: number;
  /** Descriptions of failures. */
  failures: string[];
}

async function attempt(seed: number, bytes: Uint8Array, tally: Tally): Promise<void> {
  meter.start();
  const began = cpuTime();
  try {
    const source = bytesSource(bytes, 'mutant');
    if (seed % 4 === 0) await onnx.describe(source);
    await onnx.read(source);
    tally.loaded++;
  } catch (error) {
    if (error instanceof UnrollError) tally.refused++;
    else tally.failures.push(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    meter.stop();
  }
  const elapsed = cpuTime() - began;
  if (elapsed > MAX_CPU_MS) tally.failures.push(`seed ${seed}: took ${elapsed} ms`);
  const limit = BUDGET.times * bytes.length + BUDGET.more;
  if (meter.bytes > limit)
    tally.failures.push(`seed ${seed}: asked for ${meter.bytes} bytes, allowed ${limit}`);
}

test(`${COUNT} damaged or forged ONNX files load or are refused`, async () => {
  const tally: Tally = { loaded: 0, refused: 0, failures: [] };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT; seed++) {
    const draw = new Draw(seed);
    const index = draw.below(files.length);
    const bytes = draw.chance(0.6) ? forge(messages[index], draw) : damage(files[index]!, draw);
    await attempt(seed, bytes, tally);
  }
  assert.deepEqual(tally.failures.slice(0, 5), [], `${tally.failures.length} of ${COUNT}`);
  assert.ok(tally.loaded > COUNT / 50 && tally.refused > COUNT / 4, JSON.stringify(tally));
});

/** Returns the bytes of a model with an input x [batch, 4] and these nodes and constants. */
function graphOf(nodes: Message[], initializer: Message[] = [], output = 'y'): Uint8Array {
  const info = (name: string): Message => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ param: 'batch' }, { value: 4 }] } } },
  });
  const graph = { name: 'g', node: nodes, initializer, input: [info('x')], output: [info(output)] };
  return changeModel({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph }, () => {});
}

const node = (opType: string, input: string[], output: string[], attribute: Message[] = []): Message => ({
  ...{ opType, input, output, attribute },
});
const ints = (name: string, values: number[]): Message => ({ name, ints: values, type: 7 });
const tensor = (name: string, dims: number[], bytes: number, dataType = 1): Message => ({
  ...{ name, dims, dataType, rawData: [new Uint8Array(bytes)] },
});

async function refuses(bytes: Uint8Array, code: string, message: RegExp, limitMs = 50): Promise<void> {
  await onnx.read(bytesSource(bytes)).catch(() => {}); // so that V8 compiles the code before the measurement
  const began = cpuTime();
  await assert.rejects(onnx.read(bytesSource(bytes)), (error) => {
    assert.ok(error instanceof UnrollError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
  const elapsed = cpuTime() - began;
  assert.ok(elapsed < limitMs, `${elapsed} ms`);
}

describe('attacks', () => {
  test('messages nested too deeply are refused', async () => {
    // A graph contains a node with an attribute that is a graph, and so on: fields 7, 1, 5, 6, 1, 5, 6, ...
    let bytes = new Uint8Array(0);
    for (let depth = 0; depth < 300; depth++) {
      const field = depth % 3 === 0 ? 6 : depth % 3 === 1 ? 5 : 1;
      const writer = new BinaryWriter();
      bytes = writer.tag(field, WireType.LengthDelimited).bytes(bytes).finish();
    }
    const model = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(bytes).finish();
    await refuses(model, 'format', /messages are nested more than 24 levels deep/);
  });

  test('groups nested too deeply, in a field that is skipped, are refused', async () => {
    const starts = new Uint8Array(1000).fill((4 << 3) | 3); // each starts a group, field 4
    await refuses(Uint8Array.from([0xa3, 0x06, ...starts]), 'format', /is not a valid ONNX file/); // in field 100
  });

  test('lengths beyond the file and shapes that overflow are refused', async () => {
    await refuses(Uint8Array.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0x07]), 'format', /exceeds its message/);
    const twice = /is not a valid ONNX file: the field "graph" occurs twice in a message\./;
    await refuses(Uint8Array.from([0x3a, 0, 0x3a, 0]), 'format', twice);
    const sum = [node('Add', ['x', 'w'], ['y'])];
    for (const dims of [[2 ** 31, 2 ** 31], [2 ** 62], [-1], [4, -4]])
      await refuses(graphOf(sum, [tensor('w', dims, 16)]), 'format', /the tensor "w" has the shape/);
    await refuses(
      graphOf(sum, [tensor('w', [1, 5], 16)]),
      'format',
      /the tensor "w" has 16 bytes, which do not fit its shape \[1, 5\]/,
    );
  });

  test('a field beyond the limit of the reader is refused as such', async () => {
    const docs = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(new Uint8Array(2 ** 24 + 1));
    await refuses(
      docs.finish(),
      'format',
      /^[^:]+: the field "producerName" has 16777217 bytes\. Unroll reads fields of at most 16777216 bytes/,
      500,
    );
  });

  test('small files that describe large constants are refused', async () => {
    const shape = {
      ...tensor('s', [2], 0, 7),
      rawData: [new Uint8Array(BigInt64Array.of(65536n, 65536n).buffer)],
    };
    const nodes = [
      node('ConstantOfShape', ['s'], ['a']),
      node('Transpose', ['a'], ['b'], [ints('perm', [1, 0])]),
      node('MatMul', ['x', 'b'], ['y']),
    ];
    await refuses(graphOf(nodes, [shape]), 'value', /A constant of the graph would have 4294967296 elements/);
    const doubled = Array.from({ length: 24 }, (_, i) =>
      node('Concat', [`w${i}`, `w${i}`], [`w${i + 1}`], [{ name: 'axis', i: 0, type: 2 }]),
    );
    const end = node('Add', ['x', 'w24'], ['y']);
    await refuses(
      graphOf([...doubled, end], [tensor('w0', [4], 16)]),
      'value',
      /too many elements|would have/,
      500,
    );
    const sizes = Array.from({ length: 40 }, (_, i) => node('Mul', [`s${i}`, `s${i}`], [`s${i + 1}`]));
    const reshape = node('Reshape', ['x', 's40'], ['y']);
    await refuses(
      graphOf([node('Shape', ['x'], ['s0']), ...sizes, reshape]),
      'value',
      /product of more than 16/,
    );
  });

  test('graphs that are too deep for the call stack are refused', async () => {
    const count = 15_000;
    const nodes = Array.from({ length: count }, (_, i) =>
      node('Exp', [i === 0 ? 'x' : `v${i}`], [`v${i + 1}`]),
    );
    await refuses(
      graphOf(nodes, [], `v${count}`),
      'value',
      /: the graph is too deep: too many layers/,
      4 * MAX_CPU_MS,
    );
  });

  test('weights outside the folder are refused', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'unroll-onnx-'));
    writeFileSync(join(parent, 'secret'), new Uint8Array(16));
    const inner = mkdtempSync(join(parent, 'model-'));
    const external = (location: string): Message => ({
      ...{ name: 'w', dims: [4], dataType: 1, dataLocation: 1 },
      externalData: [{ key: 'location', value: location }],
    });
    const write = (location: string): string => {
      const path = join(inner, 'model.onnx');
      writeFileSync(path, graphOf([node('Add', ['x', 'w'], ['y'])], [external(location)]));
      return path;
    };
    for (const location of ['../secret', '/etc/passwd', 'a/../../secret', '..\\secret']) {
      const source = await fileSource(write(location));
      await assert.rejects(onnx.read(source), { code: 'format' }, location);
    }
    writeFileSync(join(inner, 'weights'), new Uint8Array(16));
    const { model } = await onnx.read(await fileSource(write('weights')));
    assert.equal(model.countParams(), 4);
    await assert.rejects(onnx.read(bytesSource(readFileSync(write('weights')))), {
      code: 'format',
      message: /the values of "w" are in another file, weights/,
    });
  });

  test('names such as __proto__ are treated like other names', async () => {
    const nodes = [
      node('Add', ['x', '__proto__'], ['constructor']),
      node('toString', ['constructor'], ['y']),
    ];
    await refuses(graphOf(nodes, [tensor('__proto__', [4], 16)]), 'value', /cannot convert: toString/);
    const exp = [node('Exp', ['x'], ['__proto__']), node('Neg', ['__proto__'], ['y'])];
    const { model } = await onnx.read(bytesSource(graphOf(exp)));
    assert.equal(model.layers.length, 3);
  });
});

test('the format of a file is recognised with any extension', async () => {
  for (const name of ['model.onnx', 'model.keras', 'onnx', 'model']) {
    const source = bytesSource(files[0]!, name);
    assert.equal((await formatOfFile(source)).name, 'onnx', name);
  }
});

test('files of other formats are not taken for ONNX', async () => {
  for (const bytes of [
    new Uint8Array(0),
    Uint8Array.of(8),
    new TextEncoder().encode('{"format":1}'),
    Uint8Array.of(80, 75, 3, 4),
  ])
    assert.equal(onnx.recognises(bytes), false);
  for (const bytes of files) assert.equal((await formatOfFile(bytesSource(bytes))).name, 'onnx');
});
