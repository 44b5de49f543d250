// Both builds offer the same names with the same numbers of arguments; what is read from kernels.h is read whole.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BinaryOp, choiceFor, kernelArity, listVariants, loadKernelsSync, UnaryOp } from '@unroll/kernels';

const { parseKernels, versionOf } = (await import(
  new URL('../scripts/generate.mjs', import.meta.url).href
)) as {
  parseKernels(text: string): { kernels: { name: string; args: unknown[] }[] };
  versionOf(parsed: object): number;
};

describe('names and arity', () => {
  for (const variant of listVariants()) {
    test(variant, () => {
      const exports = loadKernelsSync(choiceFor(variant)).kernels as unknown as Record<
        string,
        (() => void) | undefined
      >;
      const found = Object.fromEntries(Object.keys(kernelArity).map((name) => [name, exports[name]?.length]));
      assert.deepEqual(found, kernelArity);
    });
  }
  test('the list is not empty and has the cells', () => {
    assert.equal(kernelArity.lstm_backward, 19);
    assert.ok(Object.keys(kernelArity).length >= 24);
  });
  test('op codes number from 0 in the order of kernels.h', () => {
    assert.deepEqual(Object.values(UnaryOp), [...Object.keys(UnaryOp).keys()]);
    assert.equal(UnaryOp.hardSigmoid, 10);
    assert.equal(BinaryOp.tanhGrad, 10);
  });
});

describe('reading kernels.h', () => {
  const head = '#endif\n';
  test('the version changes with names, arguments and operations, and with nothing else', () => {
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
  test('an argument without a name is refused', () => {
    assert.throws(() => parseKernels(`${head}KERNEL(void, f, (int))`), /f: cannot read the argument "int"/);
  });
  test('a kernel that cannot be read is not dropped', () => {
    assert.throws(
      () => parseKernels(`${head}KERNEL(void, f, (int n))\nKERNEL(void, g, (int (*n)(int)))`),
      /declares 2 kernels but only 1/,
    );
  });
});
