// Both builds offer the same names with the same numbers of arguments; what is read from kernels.h is read whole.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BinaryOp, choiceFor, kernelArity, listVariants, loadKernelsSync, UnaryOp } from '@unroll/kernels';

const { parseKernels } = (await import(new URL('../scripts/generate.mjs', import.meta.url).href)) as {
  parseKernels(text: string): { kernels: { name: string; args: unknown[] }[] };
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
