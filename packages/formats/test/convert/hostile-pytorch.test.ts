// Damaged files of PyTorch, safetensors and NumPy must load or cause an UnrollError. Hostile files must be refused.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { ready, UnrollError } from '@unroll/core';
import { encodeUtf8 } from '@unroll/core/internal';
import { toZip } from '@unroll/formats';
import { bytesSource, formatNamed, readNpz, readZipEntry, writeNpz, zipIndex } from '@unroll/formats/convert';
import type { Draw } from '../draw.js';
import { cut, damage, flip, judgeReader } from './damage.js';
import { cases, FOLDER } from './torch-cases.js';

const MUTATIONS = 500;
/** Enough for the values, their transposes, and the model. */
const BUDGET = { times: 4, more: 1 << 15 };

const mapOf = new Map(Object.values(cases).map(({ file, map }) => [file, map]));
/** All models, and checkpoints with the state of an optimizer. */
const files = readdirSync(FOLDER)
  .filter((file) => /\.(pt|safetensors)$/.test(file) && !file.startsWith('refused'))
  .map((file) => ({
    file,
    options: mapOf.get(file) ? { map: mapOf.get(file) } : {},
    bytes: new Uint8Array(readFileSync(join(FOLDER, file))),
  }));

type Parts = Map<string, Uint8Array>;
async function partsOf(bytes: Uint8Array): Promise<Parts> {
  const source = bytesSource(bytes);
  const parts: Parts = new Map();
  for (const [name, entry] of await zipIndex(source)) parts.set(name, await readZipEntry(source, entry));
  return parts;
}

/** Returns a zip in which one file is damaged (with a correct checksum), missing or replaced by another. */
function damageParts(parts: Parts, draw: Draw): Uint8Array {
  const out = new Map(parts);
  const names = [...out.keys()];
  const pickle = names.find((name) => name.endsWith('.pkl')) ?? draw.from(names);
  const name = draw.chance(0.7) ? pickle : draw.from(names);
  const what = draw.below(10);
  if (what === 0) out.delete(name);
  else if (what === 1) out.set(name, out.get(draw.from(names)) as Uint8Array);
  else out.set(name, damage(out.get(name) as Uint8Array, draw));
  return toZip(out);
}

describe('damaged files', { timeout: 1_200_000 }, () => {
  test('written by torch.save are loaded or refused', async (t) => {
    const zips = await Promise.all(
      files
        .filter(({ bytes, file }) => file.endsWith('.pt') && bytes[0] === 0x50)
        .map(async (file) => ({ ...file, parts: await partsOf(file.bytes) })),
    );
    const format = await formatNamed('pytorch');
    const line = await judgeReader(MUTATIONS, BUDGET, (draw) => {
      const { bytes, parts, options } = draw.from(zips);
      const broken = draw.chance(0.25) ? draw.from([flip, cut])(bytes, draw) : damageParts(parts, draw);
      return { bytes: broken, read: async () => void (await format.read(bytesSource(broken), options)) };
    });
    t.diagnostic(line);
  });

  test('written by torch.save before PyTorch 1.6 are loaded or refused', async (t) => {
    const legacy = files.filter(({ bytes }) => bytes[0] === 0x80);
    const format = await formatNamed('pytorch');
    const line = await judgeReader(MUTATIONS, BUDGET, (draw) => {
      const { bytes, options } = draw.from(legacy);
      const broken = damage(bytes, draw);
      return { bytes: broken, read: async () => void (await format.read(bytesSource(broken), options)) };
    });
    t.diagnostic(line);
  });

  test('in the format safetensors are loaded or refused', async (t) => {
    const found = files.filter(({ file }) => file.endsWith('.safetensors'));
    const format = await formatNamed('safetensors');
    const line = await judgeReader(MUTATIONS, BUDGET, (draw) => {
      const { bytes, options } = draw.from(found);
      // In most cases, only the header is damaged.
      const header = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
      const head = damage(bytes.slice(0, header), draw);
      const broken = draw.chance(0.7)
        ? new Uint8Array(Buffer.concat([head, bytes.subarray(header)]))
        : damage(bytes, draw);
      return { bytes: broken, read: async () => void (await format.read(bytesSource(broken), options)) };
    });
    t.diagnostic(line);
  });

  test('written by NumPy are loaded or refused', async (t) => {
    const npz = writeNpz(
      new Map([
        ['x', { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) }],
        ['y', { shape: [4], values: Float64Array.of(1, 2, 3, 4) }],
      ]),
    );
    const parts = await partsOf(npz);
    const line = await judgeReader(MUTATIONS, BUDGET, (draw) => {
      const broken = draw.chance(0.3) ? damage(npz, draw) : damageParts(parts, draw);
      return { bytes: broken, read: async () => void (await readNpz(bytesSource(broken))) };
    });
    t.diagnostic(line);
  });
});

const latin = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const archive = (pickle: string | Uint8Array, more: Record<string, Uint8Array> = {}): Uint8Array =>
  toZip(
    new Map(Object.entries({ 'a/data.pkl': typeof pickle === 'string' ? latin(pickle) : pickle, ...more })),
  );

async function refusal(bytes: Uint8Array, name: 'pytorch' | 'safetensors' = 'pytorch'): Promise<UnrollError> {
  const format = await formatNamed(name);
  const began = performance.now();
  try {
    await format.read(bytesSource(bytes, 'evil.pt'));
  } catch (error) {
    assert.ok(error instanceof UnrollError, String((error as Error).stack));
    assert.ok(performance.now() - began < 2000);
    return error;
  }
  throw new Error('it was read');
}

/** Returns the opcodes of a tensor with a storage of four floats. @param sizes the opcodes of its shape and strides */
const tensor = (sizes: string, length = 'K\x04'): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu${length}tQK\0${sizes}\x89Nt R`.replace(
    ' ',
    '',
  );
const dict = (key: string, value: string): string =>
  `\x80\x02}(X${String.fromCharCode(key.length)}\0\0\0${key}${value}u.`;
const storage = { 'a/data/0': new Uint8Array(16) };
const VECTOR = 'K\x04\x85K\x01\x85';

describe('hostile files of PyTorch', () => {
  before(() => ready());
  test('the tensor of these tests is well-formed', async () => {
    const error = await refusal(archive(dict('weight', tensor('K\x02K\x02\x86K\x02K\x01\x86')), storage));
    assert.match(error.message, /needs|order|Linear|map/);
  });

  const programs: Record<string, [pickle: string, name: RegExp]> = {
    'os.system by REDUCE': ['\x80\x02cposix\nsystem\nU\x02id\x85R.', /contains posix\.system/],
    'eval by STACK_GLOBAL': [
      '\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.',
      /contains builtins\.eval/,
    ],
    'a class by INST': ['(S1\nicposix\nsystem\n.', /pickle|opcode/],
    'subprocess by OBJ': ['\x80\x02(csubprocess\nPopen\nU\x02ido.', /contains subprocess\.Popen/],
    'torch.load of another file': ['\x80\x02ctorch\nload\nU\x01x\x85R.', /contains torch\.load/],
    'a getattr chain': ['\x80\x02cbuiltins\ngetattr\n.', /contains builtins\.getattr/],
    'an instance of an allowed class by NEWOBJ': ['\x80\x02ccollections\nOrderedDict\n)\x81.', /never does/],
    'a call of an allowed name that is not a function': [
      '\x80\x02ctorch\nFloatStorage\n)R.',
      /^evil\.pt calls torch\.FloatStorage/,
    ],
    'an extension code': ['\x80\x02\x82\x01.', /a name in Python's extension registry/],
    'a whole module': [
      '\x80\x02ctorch.nn.modules.rnn\nLSTM\n)\x81.',
      /is a whole module .*torch\.save\(model\.state_dict\(\)/,
    ],
  };
  for (const [name, [pickle, message]] of Object.entries(programs)) {
    test(`${name} is refused`, async () => {
      assert.match((await refusal(archive(pickle))).message, message);
    });
  }

  const unsupported: Record<string, [pickle: string, message: RegExp]> = {
    'a newer protocol': ['\x80\x06}.', /its protocol is 6; the newest supported protocol is 5/],
    'an unknown opcode': ['\x80\x05\x97.', /byte 2 is the opcode 0x97, which Unroll does not know/],
    'an object of a class': ['\x80\x02ccollections\nOrderedDict\n)\x81.', /it creates an object of a class/],
    'a long integer': [`\x80\x02\x8a\x40${'\x01'.repeat(64)}.`, /an integer of 64 bytes; the maximum is 32/],
    'a big-endian NumPy number': [
      '\x80\x02cnumpy\ndtype\nU\x02f8\x85R(K\x03U\x01>tb.',
      /a big-endian NumPy number/,
    ],
    'a NumPy number of another type': [
      '\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x03c16\x85RU\x00\x86R.',
      /a NumPy number of type c16, which Unroll does not read/,
    ],
  };
  for (const [name, [pickle, message]] of Object.entries(unsupported)) {
    test(`${name} is refused as unsupported, not as damaged, and the message says how to save the weights`, async () => {
      const error = await refusal(archive(pickle));
      assert.equal(error.code, 'value');
      assert.match(error.message, message);
      assert.match(error.message, /Save the weights alone: torch\.save/);
    });
  }
  test('a truncated pickle is reported as damaged', async () => {
    const error = await refusal(archive('\x80\x02}(U\x09x'));
    assert.deepEqual(
      [error.code, error.message],
      ['format', 'The pickle in evil.pt is damaged: it is truncated.'],
    );
  });
  test('a string that is not UTF-8 is reported as damage, with its offset', async () => {
    const error = await refusal(archive('\x80\x02U\x02a\xff.'));
    assert.deepEqual(
      [error.code, error.message],
      ['format', 'The pickle in evil.pt is damaged: the string at byte 4 is not valid UTF-8.'],
    );
  });
  test('strings of protocol 0 may have Latin-1 characters and escapes', async () => {
    const { message } = await refusal(archive('}Vcaf\xe9 \\u5c42 \\u005cn \\U0001f600\nK\x01s.'));
    assert.match(message, /It has the keys café 层 \\n 😀\./);
  });

  test('a TorchScript archive is refused, and the message says how to save the weights instead', async () => {
    const script = archive('\x80\x02}.', {
      'a/code/__torch__.py': latin('x'),
      'a/constants.pkl': latin('.'),
    });
    assert.match((await refusal(script)).message, /TorchScript archive.*torch\.save\(model\.state_dict\(\)/);
  });

  test('nested tuples, each of which contains the previous one twice, are refused', async () => {
    // x = (x, x) forty times: as a key and as a value of a dict, and as an argument of numpy.dtype
    const bomb = `]${'q\0(h\0h\0t'.repeat(40)}`;
    for (const pickle of [`\x80\x02}(${bomb}K\x01u.`, `\x80\x02}(K\x01${bomb}u.`])
      assert.match((await refusal(archive(pickle))).message, /no state dict|damaged|pickle/);
    const dtype = `${bomb}q\0cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nh\0\x85RU\x00\x86R.`;
    assert.match(
      (await refusal(archive(`\x80\x02${dtype}`))).message,
      /contains a NumPy number of type unknown/,
    );
  });
  test('too many nested lists, and too many dicts, are refused', async () => {
    assert.match(
      (await refusal(archive(`\x80\x02${'('.repeat(260_000)}${'l'.repeat(259_999)}.`))).message,
      /objects/,
    );
    assert.match((await refusal(archive(`\x80\x02${'}'.repeat(260_000)}.`))).message, /objects/);
  });

  const forged: Record<string, [pickle: string, message: RegExp]> = {
    'a shape beyond its storage': [dict('weight', tensor('J\0\0\0\x7f\x85K\x01\x85')), /exceeds its storage/],
    'strides of 0': [
      dict('weight', tensor('J\0\0\0\x7f\x85K\0\x85')),
      /repeats the elements of its storage.*contiguous/,
    ],
    'a shape that overflows': [
      dict('weight', tensor(`(${'J\0\0\0\x7f'.repeat(8)}t(${'K\0'.repeat(8)}t`)),
      /damaged/,
    ],
    'a negative stride': [
      dict('weight', tensor('K\x04\x85J\xff\xff\xff\xff\x85')),
      /the strides .* is not valid/,
    ],
    'a storage of another length': [
      dict('weight', tensor(VECTOR, 'J\0\0\0\x7f')),
      /must have \d+ bytes, got 16/,
    ],
    'a storage of a negative length': [dict('weight', tensor(VECTOR, 'J\xff\xff\xff\xff')), /no length/],
  };
  for (const [name, [pickle, message]] of Object.entries(forged)) {
    test(`${name} is refused`, async () => {
      assert.match((await refusal(archive(pickle, storage))).message, message);
    });
  }

  test('names such as __proto__ are treated like other names', async () => {
    for (const name of ['__proto__.weight', 'constructor.weight', '__proto__', 'toString.weight_ih_l0']) {
      const format = await formatNamed('pytorch');
      await format.read(bytesSource(archive(dict(name, tensor(VECTOR)), storage))).catch((error) => {
        assert.ok(error instanceof UnrollError, String(error.stack));
      });
      assert.equal(({} as { weight?: unknown }).weight, undefined);
    }
  });
});

describe('hostile zips', () => {
  before(() => ready());
  test('a zip bomb of 1 kB is refused within 50 ms', async () => {
    const bomb = zipOf([{ name: 'a/data.pkl', content: new Uint8Array(1_000_000) }]);
    assert.ok(bomb.length < 1200);
    const began = performance.now();
    assert.match((await refusal(bomb)).message, /too many for/);
    assert.ok(performance.now() - began < 50);
  });
  test('two entries with one name, and entries that overlap, are refused', async () => {
    const content = latin('\x80\x02}.');
    const twice = zipOf([
      { name: 'a/data.pkl', content },
      { name: 'a/data.pkl', content },
    ]);
    assert.match((await refusal(twice)).message, /contains a\/data\.pkl twice/);
    const overlap = zipOf([
      { name: 'a/data.pkl', content },
      { name: 'a/version', content, offset: 0 },
    ]);
    assert.match((await refusal(overlap)).message, /overlaps the next entry/);
  });
  test('a directory of more than 128 MiB is refused before it is read', async () => {
    const size = 2 ** 27 + 1;
    const record = new DataView(new ArrayBuffer(22));
    record.setUint32(0, 0x06054b50, true);
    record.setUint32(12, size, true);
    const end = new Uint8Array(record.buffer);
    const read = async (begin: number): Promise<Uint8Array> => {
      assert.ok(begin >= size - 20, 'only the end of the file is read');
      return new Uint8Array([...new Uint8Array(Math.max(0, size - begin)), ...end]);
    };
    await assert.rejects(zipIndex({ name: 'big.zip', size: size + 22, read }), {
      code: 'format',
      message: `big.zip cannot be read as a zip file: its directory has ${size} bytes; the maximum is ${2 ** 27}.`,
    });
  });
  test('a wrong number of entries is refused', async () => {
    const zip = zipOf([{ name: 'a/data.pkl', content: latin('\x80\x02}.') }]);
    new DataView(zip.buffer).setUint16(zip.length - 12, 60_000, true);
    assert.match((await refusal(zip)).message, /its directory of 56 bytes is too small for 60000 entries/);
  });
  test('paths that lead out of the archive are not followed', async () => {
    assert.match(
      (await refusal(zipOf([{ name: '../../data.pkl', content: latin('\x80\x02}.') }]))).message,
      /no data\.pkl/,
    );
  });
});

interface Entry {
  name: string;
  content: Uint8Array;
  /** Offset in the directory. Default: the correct offset. */
  offset?: number;
}

/** Returns a compressed zip. */
function zipOf(entries: readonly Entry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, content, offset = at } of entries) {
    const data = deflateRawSync(content);
    const path = encodeUtf8(name);
    const header = new DataView(new ArrayBuffer(46));
    header.setUint32(0, 0x02014b50, true);
    header.setUint16(10, 8, true);
    header.setUint32(20, data.length, true);
    header.setUint32(24, content.length, true);
    header.setUint16(28, path.length, true);
    header.setUint32(42, offset, true);
    directory.push(new Uint8Array(header.buffer), path);
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, path.length, true);
    parts.push(new Uint8Array(local.buffer), path, data);
    at += 30 + path.length + data.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, at, true);
  return new Uint8Array(Buffer.concat([...parts, ...directory, new Uint8Array(end.buffer)]));
}
