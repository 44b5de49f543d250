// All builds export the same names with the same numbers of arguments, the parser of kernels.h rejects what it cannot read, and
// every pointer field of a struct in kernels.h has a comment.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  BinaryOp,
  callSoftmax,
  choiceFor,
  kernelArity,
  listVariants,
  loadKernelsSync,
  UnaryOp,
} from '@unroll/kernels';

const { parseKernels, versionOf } = (await import(
  new URL('../scripts/generate.mjs', import.meta.url).href
)) as {
  parseKernels(text: string): {
    kernels: { name: string; args: unknown[] }[];
    structs: { name: string; fields: { type: string; id: string; comment: string[] }[] }[];
  };
  versionOf(parsed: object): number;
};

describe('names and numbers of arguments', () => {
  for (const variant of listVariants()) {
    test(`${variant} exports every kernel with its number of arguments`, () => {
      const exports = loadKernelsSync(choiceFor(variant)).kernels as unknown as Record<
        string,
        (() => void) | undefined
      >;
      const found = Object.fromEntries(Object.keys(kernelArity).map((name) => [name, exports[name]?.length]));
      assert.deepEqual(found, kernelArity);
    });
  }
  test('no kernel takes more than four arguments, and a kernel with a struct takes no other argument', () => {
    assert.equal(kernelArity.lstm_backward, 1);
    assert.ok(Object.values(kernelArity).every((count) => count <= 4));
    assert.ok(Object.keys(kernelArity).length >= 24);
  });
  test('op codes are numbered from 0 in the order of kernels.h', () => {
    assert.deepEqual(Object.values(UnaryOp), [...Object.keys(UnaryOp).keys()]);
    assert.equal(UnaryOp.hardSigmoid, 10);
    assert.equal(BinaryOp.tanhGrad, 10);
  });
});

describe('reading kernels.h', () => {
  const head = '#endif\n';
  test('the version changes with names, arguments and operations, but not with comments', () => {
    const version = (text: string): number => versionOf(parseKernels(head + text));
    const one = version('CODES(Op, o_a)\nKERNEL(void, f, (int n))');
    assert.equal(version('CODES(Op, o_a)\n\n// What f does.\nKERNEL(void, f, (int n))'), one);
    for (const other of [
      '(void, g, (int n))',
      '(int, f, (int n))',
      '(void, f, (float n))',
      '(void, f, (int m))',
    ])
      assert.notEqual(version(`CODES(Op, o_a)\nKERNEL${other}`), one, other);
    assert.notEqual(version('CODES(Op, o_b)\nKERNEL(void, f, (int n))'), one);
  });
  test('an argument without a name is rejected', () => {
    assert.throws(() => parseKernels(`${head}KERNEL(void, f, (int))`), /f: cannot read the argument "int"/);
  });
  test('a kernel that cannot be parsed is an error', () => {
    assert.throws(
      () => parseKernels(`${head}KERNEL(void, f, (int n))\nKERNEL(void, g, (int (*n)(int)))`),
      /declares 2 kernels but only 1/,
    );
  });
});

test('every pointer field of a struct has a comment, for example with its shape', () => {
  const { structs } = parseKernels(
    readFileSync(fileURLToPath(new URL('../cpp/kernels.h', import.meta.url)), 'utf8'),
  );
  const pointers = structs.flatMap(({ name, fields }) =>
    fields.filter(({ type }) => type.includes('*')).map((field) => ({ struct: name, ...field })),
  );
  assert.ok(pointers.length > 60);
  for (const { struct, id, comment } of pointers)
    assert.ok(comment.length > 0, `${struct}: ${id} has no comment`);
});

describe('structs', () => {
  const head = '#endif\nCONSTANT(call_slots, 3)\n';
  const layout =
    'struct Base {\n  int n;  // how many\n};\nstruct Call : Base {\n  const float* x;  // [n] | null\n};\n';
  test('the version changes with the fields and with the constants, but not with comments', () => {
    const kernel = 'KERNEL(void, f, (const Call& call))';
    const version = (text: string): number => versionOf(parseKernels(text + kernel));
    const one = version(head + layout);
    assert.equal(version(head + layout.replace('how many', 'floats')), one);
    assert.notEqual(version(head + layout.replace('int n', 'int m')), one);
    assert.notEqual(version(head + layout.replace('3', '4').replace(' : Base', '')), one);
    assert.notEqual(version(head.replace('3', '4') + layout), one);
  });
  test('more than four arguments, a missing struct, a struct that is too large, and an invalid field are rejected', () => {
    assert.throws(
      () => parseKernels(`${head}KERNEL(void, f, (int a, int b, int c, int d, int e))`),
      /f takes 5 arguments: more than 4 belong in a struct/,
    );
    assert.throws(
      () => parseKernels(`${head}KERNEL(void, f, (const Lost& call))`),
      /f: there is no struct "Lost"/,
    );
    assert.throws(
      () => parseKernels(`${head}${layout}struct Large : Call {\n  int a;\n  int b;\n};\n`),
      /Large has 4 fields but the call area only 3 slots/,
    );
    assert.throws(
      () => parseKernels(`${head}struct Bad {\n  int a\n};\n`),
      /Bad: cannot read the line "int a"/,
    );
  });
});

for (const isa of listVariants()
  .filter((variant) => !/strict|relaxed/.test(variant))
  .slice(0, 1)) {
  test(`${isa}: the error for an invalid argument names the kernel and the field`, () => {
    const module = loadKernelsSync(choiceFor(isa));
    const call = { x: module.memory.heapBase, y: module.memory.heapBase, rows: 1, n: 1, log: 0 };
    assert.throws(
      () => callSoftmax(module, { ...call, y: -4 }),
      /softmax: y must be an address inside the linear memory/,
    );
    assert.throws(
      () => callSoftmax(module, { ...call, x: 0 }),
      /softmax: x must be an address inside the linear memory, got 0/,
    );
    for (const n of [Number.NaN, 2 ** 31])
      assert.throws(() => callSoftmax(module, { ...call, n }), /softmax: n must be a 32-bit integer, got /);
    assert.throws(
      () => module.kernels.softmax(module.memory.limit - 8),
      /softmax: argument 1 must be an address inside/,
    );
    assert.throws(() => module.kernels.fill(0, 1, 0), /fill: argument 1 must be an address inside/);
  });
}
