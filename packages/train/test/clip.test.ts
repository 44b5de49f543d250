/** Gradient clipping: hand-computed results, gradients whose squares overflow float32, and gradients that are not finite. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setBackend } from '@unroll/core';
import { FlatBuffer } from '@unroll/core/internal';
import type { Clip } from '@unroll/train';
import { checkClip, clipGradients } from '@unroll/train/internal';
import { fails } from './fails.js';
import { close } from './loss-examples.js';
import { normOf } from './optimizer-run.js';

/** Two parameters with the norms 5 and 12; the global norm is 13. */
const GRADIENTS = [3, -4, 12, 0];
const SLICES = [
  { name: 'a', offset: 0, size: 2 },
  { name: 'b', offset: 2, size: 2 },
];

function bufferOf(values: readonly number[]): FlatBuffer {
  const buffer = new FlatBuffer(values.length);
  buffer.write(values);
  return buffer;
}

/** Returns the gradients after clipping, including the scale that the optimizer applies. */
async function clipAll(clip: Clip | null, gradients = GRADIENTS): Promise<{ g: number[]; clipped: boolean }> {
  const buffer = bufferOf(gradients);
  const result = await clipGradients(clip, { buffer, slices: SLICES }, await normOf(buffer));
  return {
    g: [...(await buffer.read())].map((value) => value * result.gScale),
    clipped: result.clipped,
  };
}

const normOfValues = (values: readonly number[]): Promise<number> => normOf(bufferOf(values));

after(() => setBackend());

for (const backend of ['default', 'wasm', 'reference', 'reference:float64'] as const) {
  describe(`clipping, backend ${backend}`, () => {
    const testOnBackend = (name: string, work: () => Promise<void>): void => {
      test(name, async () => {
        await (backend === 'default' ? setBackend() : setBackend(backend));
        await work();
      });
    };
    testOnBackend('by value: clips each entry separately', async () => {
      const { g, clipped } = await clipAll({ value: 3.5 });
      close(g, [3, -3.5, 3.5, 0]);
      assert.equal(clipped, true);
    });
    testOnBackend('by norm: scales each parameter separately', async () => {
      const { g, clipped } = await clipAll({ norm: 6 });
      close(g, [3, -4, 6, 0]);
      assert.equal(clipped, true);
    });
    testOnBackend('by global norm: preserves the direction', async () => {
      const { g, clipped } = await clipAll({ globalNorm: 6.5 });
      close(g, [1.5, -2, 6, 0]);
      assert.equal(clipped, true);
    });
    testOnBackend('gradients within the limit stay bit-identical', async () => {
      for (const clip of [null, { value: 12 }, { norm: 12 }, { globalNorm: 13 }]) {
        assert.deepEqual(await clipAll(clip), { g: GRADIENTS, clipped: false });
      }
      for (const clip of [{ value: 1 }, { norm: 1 }, { globalNorm: 1 }]) {
        assert.deepEqual(await clipAll(clip, [0, 0, 0, 0]), { g: [0, 0, 0, 0], clipped: false });
      }
    });
    testOnBackend('gradients whose squares overflow float32 have correct norms', async () => {
      close([await normOfValues([3e25, 4e25, 0])], [5e25]);
      const { g } = await clipAll({ globalNorm: 1 }, [3e30, -4e30, 0, 0]);
      close(g, [0.6, -0.8, 0, 0]);
      close((await clipAll({ norm: 2 }, [3e30, -4e30, 1, 0])).g, [1.2, -1.6, 1, 0]);
    });
    testOnBackend('an infinite entry has the same effect as in Keras', async () => {
      const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
      const gradients = [infinity, 1, 2, 0.25];
      assert.equal(await normOfValues(gradients), infinity);
      assert.ok(Number.isNaN(await normOfValues([nan, infinity])));
      assert.deepEqual((await clipAll({ value: 0.5 }, gradients)).g, [0.5, 0.5, 0.5, 0.25]);
      assert.deepEqual((await clipAll({ norm: 4 }, gradients)).g, [nan, 0, 2, 0.25]);
      assert.deepEqual((await clipAll({ globalNorm: 4 }, gradients)).g, [nan, nan, nan, nan]);
    });
  });
}

describe('errors of clip', () => {
  test('requires exactly one kind, with a limit above 0', () => {
    assert.equal(checkClip(null), null);
    const both = { value: 1, norm: 2 };
    assert.throws(() => checkClip(both), fails('value', /exactly one of .* got \{ value, norm \}/));
    assert.throws(() => checkClip({} as Clip), fails('value', /exactly one of/));
    assert.throws(() => checkClip({ clipNorm: 1 } as unknown as Clip), fails('value', /got \{ clipNorm \}/));
    assert.throws(
      () => checkClip({ norm: 0 }),
      fails('value', /norm must be a number above 0, got 0. Omit clip/),
    );
    assert.throws(() => checkClip({ globalNorm: Number.NaN }), fails('value', /above 0, got NaN/));
  });
});
