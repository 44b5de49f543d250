/**
 * Gradients of looked-up rows of an embedding table, and lazy optimizers, which change only these rows. Detects gradients that
 * are added twice or to the wrong rows, gradients left from an earlier batch, moments or weights that change without a lookup,
 * and rows that are lost during accumulation or when a run resumes.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  add,
  type ForwardContext,
  gather,
  type MaskedSequence,
  type Model,
  mul,
  Parameter,
  scope,
  setBackend,
  sum,
  type Tensor,
  tensor,
} from '@unroll/core';
import { FlatBuffer, runtime } from '@unroll/core/internal';
import { bitMismatch, largestMagnitude, mismatch } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import {
  decodeCheckpoint,
  type Examples,
  encodeCheckpoint,
  type OptimizerSpec,
  resolveOptimizer,
  type TrainOptions,
  train,
} from '@unroll/train';
import { makeLoss } from '@unroll/train/internal';
import { type Packed, trainingGoldens, unpack } from './goldens.js';

after(() => setBackend());

interface Goldens {
  table: Packed;
  ids: number[][];
  coefficients: Packed;
  cases: { name: string; optimizer: 'adam' | 'adagrad'; options: Record<string, unknown>; after: Packed }[];
}

const goldens = trainingGoldens<Goldens>('lazy.json');
const { values: START } = unpack(goldens.table);
const [ROWS, WIDTH] = goldens.table.shape as [number, number];
const STEPS = goldens.ids.length;

/** Looks up rows of a table; with the loss below, the gradient of each row is its target. */
class Lookups implements Model {
  readonly name = 'lookups';
  readonly built = true;
  readonly config = {};
  readonly table = new Parameter('table', [ROWS, WIDTH], START);
  readonly bias = new Parameter('bias', [WIDTH], new Float32Array(WIDTH));
  readonly parameters: Parameter[] = [this.table, this.bias];
  /** Coefficient of an L2 penalty on the whole table. */
  penalty = 0;
  readonly #transform: (table: Parameter) => Tensor;

  /** @param transform applied to the table before the lookup */
  constructor(transform: (table: Parameter) => Tensor = (table) => table) {
    this.#transform = transform;
  }

  build(): void {}

  forward([ids]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    if (this.penalty > 0) context.addLoss(mul(sum(mul(this.table, this.table)), this.penalty));
    return [{ value: add(gather(this.#transform(this.table), ids!.value), this.bias), mask: null }];
  }
}

/** The sum of outputs times targets. */
const loss = makeLoss(
  {
    name: 'product',
    config: {},
    align: (prediction, target) => ({ prediction, target }),
    rows: (prediction, target) => sum(mul(prediction, target), -1),
  },
  { reduction: 'sum' },
);

const batches = goldens.ids.map((ids, step): Examples => {
  const size = ids.length * WIDTH;
  const coefficients = unpack(goldens.coefficients).values.slice(step * size, (step + 1) * size);
  return { x: tensor(ids, [1, ids.length]), y: tensor(coefficients, [1, ids.length, WIDTH]) };
});

/** Returns the table and the gradient norm after each step. */
async function run(
  optimizer: OptimizerSpec,
  { model = new Lookups(), ...options }: Partial<TrainOptions> & { model?: Lookups } = {},
): Promise<{ tables: ArrayLike<number>[]; norms: number[] }> {
  const tables: ArrayLike<number>[] = [];
  const norms: number[] = [];
  for await (const event of train(model, { batches, loss, optimizer, ...options } as TrainOptions)) {
    if (event.type !== 'step') continue;
    tables.push(model.table.dataSync());
    norms.push(event.gradientNorm);
  }
  assert.equal(tables.length, STEPS);
  return { tables, norms };
}

const assertSameBits = (
  what: string,
  a: readonly ArrayLike<number>[],
  b: readonly ArrayLike<number>[],
): void =>
  a.forEach((values, i) => {
    assert.equal(bitMismatch(`${what}, step ${i + 1}`, values, b[i]!), null);
  });

const adam = { name: 'adam', learningRate: 0.1 } as const;
const lazyAdam = { ...adam, lazy: true } as const;

for (const { name, backend, reason } of testBackends()) {
  describe(`gradients of looked-up rows on ${name}`, { skip: reason || false }, () => {
    test('are bitwise equal to those of the whole table', async () => {
      await setBackend(backend!);
      // The lookup reads a copy, table * 1, so the gradient of the table itself is dense.
      const dense = await run(adam, { model: new Lookups((table) => mul(table, 1)) });
      assertSameBits('rows', (await run(adam)).tables, dense.tables);
    });

    for (const { name, optimizer, options, after } of goldens.cases) {
      test(`give the same table after each step as in PyTorch: ${name}`, async () => {
        await setBackend(backend!);
        const { tables } = await run({ name: optimizer, ...options });
        assert.equal(mismatch(name, tables.flatMap((t) => [...(t as Float32Array)]), unpack(after).values, 2e-6), null); // biome-ignore format: one line
      });
    }
  });
}

/**
 * Returns the expected table after each step: updates the whole table, then restores the rows that were not looked up, and
 * their slots.
 */
async function expectedTables(spec: OptimizerSpec): Promise<Float64Array[]> {
  const optimizer = resolveOptimizer(spec);
  const buffers = ['w', ...optimizer.slots].map(() => new FlatBuffer(START.length));
  const initial = optimizer.config.initialAccumulatorValue as number | undefined;
  buffers.forEach((buffer, i) => {
    buffer.write(i === 0 ? START : START.map(() => initial ?? 0));
  });
  const after: Float64Array[] = [];
  for (const [step, ids] of goldens.ids.entries()) {
    const before = await Promise.all(buffers.map((buffer) => buffer.read()));
    const coefficients = (batches[step]!.y as Tensor).dataSync();
    const grads = new Float32Array(START.length);
    ids.forEach((id, i) => {
      for (let j = 0; j < WIDTH; j++) grads[id * WIDTH + j]! += coefficients[i * WIDTH + j]!;
    });
    scope(() => {
      const { backend } = runtime.scope!;
      const g = backend.temporary(grads.length);
      backend.write(g, grads);
      const [w, ...slots] = buffers.map((buffer) => buffer.block());
      const rate = optimizer.rate(step);
      optimizer.update({ kernels: backend.kernels, w: w!, g, slots, step: step + 1, rate, gScale: 1 });
    });
    buffers.forEach((buffer, b) => {
      for (let row = 0; row < ROWS; row++) {
        if (!ids.includes(row)) {
          buffer.write(before[b]!.subarray(row * WIDTH, (row + 1) * WIDTH), row * WIDTH);
        }
      }
    });
    after.push(Float64Array.from(await buffers[0]!.read()));
  }
  return after;
}

describe('lazy optimizers', () => {
  const specs: { name: 'sgd' | 'rmsprop' | 'adagrad' | 'adam' | 'adamw' | 'nadam'; [option: string]: unknown }[] = [
    { name: 'sgd', momentum: 0.9 },
    { name: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 0.1, convention: 'pytorch' },
    { name: 'rmsprop', centered: true, momentum: 0.5 },
    { name: 'adagrad' },
    { name: 'adam' },
    { name: 'adam', weightDecay: 0.1, convention: 'pytorch' },
    { name: 'adamw', excludeFromWeightDecay: ['bias'] },
    { name: 'nadam' },
  ]; // biome-ignore format: a list
  for (const options of specs) {
    const spec = { learningRate: 0.05, ...options };
    test(`update only looked-up rows: ${JSON.stringify(options)}`, async () => {
      await setBackend();
      const { tables } = await run({ ...spec, lazy: true });
      assertSameBits('lazy', tables, await expectedTables({ ...spec, excludeFromWeightDecay: [] }));
      const lastRow = (table: ArrayLike<number>): number[] => [...(table as Float32Array)].slice(-WIDTH);
      assert.deepEqual(lastRow(tables.at(-1)!), [...START.slice(-WIDTH)]);
    });
  }

  test('do not update rows of earlier lookups, unlike other optimizers', async () => {
    const [dense, lazy] = [await run(adam), await run(lazyAdam)];
    const valueOfRow0 = (tables: ArrayLike<number>[], step: number): number => tables[step]![0]!;
    assert.deepEqual(goldens.ids[2]!.includes(0), false);
    assert.notEqual(valueOfRow0(dense.tables, 2), valueOfRow0(dense.tables, 1));
    assert.equal(valueOfRow0(lazy.tables, 2), valueOfRow0(lazy.tables, 1));
  });

  test('clip by the same norm as other optimizers', async () => {
    const clip = { globalNorm: 0.5 };
    const dense = await run({ name: 'sgd' }, { clip });
    const lazy = await run({ name: 'sgd', lazy: true }, { clip });
    // The norms are sums in float32, in another order for the lazy optimizer.
    const allowed = 1e-6 * Math.max(1, largestMagnitude(dense.norms));
    assert.equal(mismatch('norms', lazy.norms, dense.norms, allowed), null);
    assert.equal(mismatch('table', lazy.tables.at(-1)!, dense.tables.at(-1)!, 1e-6), null);
  });

  test('update the rows of all accumulated batches, and give bitwise equal results in a run resumed after any batch', async () => {
    const options = { batches, loss, optimizer: lazyAdam, accumulate: 4 };
    const uninterrupted = new Lookups();
    for await (const _ of train(uninterrupted, options));
    // Row 5 occurs only in batches 2 and 5, and the weights are updated after batches 4 and 8.
    assert.notDeepEqual(
      uninterrupted.table.dataSync().slice(5 * WIDTH, 6 * WIDTH),
      START.slice(5 * WIDTH, 6 * WIDTH),
    );
    for (let stop = 1; stop < STEPS; stop++) {
      const interrupted = train(new Lookups(), options);
      for (let i = 0; i < stop; i++) await interrupted.next();
      const bytes = encodeCheckpoint({
        run: (await interrupted.snapshot())!,
        callbacks: {},
        history: { epochs: 0, loss: [], validationLoss: [], metrics: {}, completed: false, reason: null },
      });
      const resumed = new Lookups();
      for await (const _ of train(resumed, { ...options, resume: decodeCheckpoint(bytes).run }));
      assert.equal(
        bitMismatch(`from ${stop}`, resumed.table.dataSync(), uninterrupted.table.dataSync()),
        null,
      );
    }
  });

  test('update the whole table if its gradient is dense', async () => {
    const penalised = (): Lookups => Object.assign(new Lookups(), { penalty: 0.01 });
    const regularized = await run(adam, { model: penalised() });
    assertSameBits('regularizer', (await run(lazyAdam, { model: penalised() })).tables, regularized.tables);
    const beforeUpdate: TrainOptions['beforeUpdate'] = async (gradients) =>
      gradients.write(await gradients.read());
    assertSameBits('hook', (await run(lazyAdam, { beforeUpdate })).tables, (await run(adam)).tables);
  });

  test('do not change a table that a batch does not use', async () => {
    const model = new Lookups();
    const other = new Parameter('other', [2, 1], [3, 4]);
    model.parameters.push(other);
    await run({ ...lazyAdam, weightDecay: 0.1 }, { model });
    assert.deepEqual([...other.dataSync()], [3, 4]);
  });
});
