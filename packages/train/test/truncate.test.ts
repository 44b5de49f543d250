/**
 * Truncated backpropagation through time. Its results are compared with a computation by hand, which runs the cells step by
 * step over each window, from the stored state, with explicit masks. Detects a gradient that is cut at the wrong step, a
 * state that comes from another chunk or was computed with the wrong weights, penalties or statistics that are counted twice,
 * dropout masks that change within a sequence, and updates from padding.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  add,
  keep,
  mean,
  mul,
  type Parameter,
  RandomStream,
  referenceBackend,
  reshape,
  setBackend,
  square,
  stack,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '@unroll/core';
import {
  batchNormalization,
  type Cell,
  concatenate,
  dense,
  dropout,
  gru,
  gruCell,
  input,
  type Layer,
  layerNormalization,
  lstm,
  lstmCell,
  model,
  type Network,
  type Recurrent,
  recurrent,
  sequential,
  simpleRNN,
  stackedCells,
} from '@unroll/nn';
import { testBackends } from '@unroll/testkit/node';
import { type StepEvent, type TrainEvent, type TrainOptions, train } from '@unroll/train';
import { weightsOf } from './small-model.js';

after(() => setBackend());

const [B, T, I] = [6, 7, 3];

const normal = (name: string, shape: number[]): Tensor =>
  tensor(new RandomStream(4, name).normal(shape.reduce((a, b) => a * b)), shape);

/** Returns the mask of sequences of these lengths. */
const maskOf = (lengths: readonly number[]): Tensor =>
  tensor(lengths.map((length) => Array.from({ length: T }, (_, t) => (t < length ? 1 : 0))));

/** Returns sequences x [B, T, I] and y [B, T, 2], and their mask. */
const data = (mask = maskOf([7, 7, 7, 7, 7, 7])) => ({
  x: normal('x', [B, T, I]),
  y: normal('y', [B, T, 2]),
  mask,
});

async function eventsOf(model: Network, options: TrainOptions): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(model, options)) events.push(event);
  return events;
}

const stepsOf = (events: readonly TrainEvent[]): StepEvent[] =>
  events.filter((event): event is StepEvent => event.type === 'step');

/** Returns the events without the fields that depend on the clock. */
const withoutTimes = (events: readonly TrainEvent[]): unknown[] =>
  events.map((event) => {
    const { seconds: _, sequencesPerSecond: __, ...fields } = event as unknown as Record<string, unknown>;
    return fields;
  });

/** Returns a network with dropout of all kinds, batch normalisation, and penalties on weights and outputs (regularisers). */
const networkWithDropout = (): Network =>
  sequential(
    [
      lstm({ units: 5, returnSequences: true, dropout: 0.2, recurrentDropout: 0.3, kernelRegularizer: 'l2' }),
      batchNormalization(),
      dropout({ rate: 0.2 }),
      gru({ units: 4, returnSequences: true, activityRegularizer: 'l2', seed: 3, recurrentDropout: 0.2 }),
      dropout({ rate: 0.3, noiseShape: [null, 1, null] }),
      dense({ units: 2 }),
    ],
    { seed: 7 },
  );

describe('truncation with the length of the whole sequence', () => {
  for (const { name, backend, reason } of testBackends()) {
    test(`gives results bitwise equal to full backpropagation on ${name}`, {
      skip: reason || false,
    }, async () => {
      await setBackend(backend!);
      const { mask, ...sequences } = data(maskOf([7, 2, 5, 7, 1, 4]));
      const options: TrainOptions = {
        ...{ ...sequences, mask, loss: 'mse', optimizer: { name: 'adam', learningRate: 0.02 }, epochs: 2 },
        ...{ batchSize: 2, accumulate: 2, clip: { globalNorm: 1 }, metrics: ['mae'], seed: 5 },
        sampleWeights: tensor(new RandomStream(1).uniform(B * T), [B, T]),
        validationSplit: 0.2,
      };
      const untruncated = networkWithDropout();
      const expected = withoutTimes(await eventsOf(untruncated, options));
      for (const truncate of [
        { every: T, length: T },
        { every: T + 2, length: T + 9 },
      ]) {
        const model = networkWithDropout();
        assert.deepEqual(withoutTimes(await eventsOf(model, { ...options, truncate })), expected);
        assert.deepEqual(weightsOf(model), weightsOf(untruncated));
      }
    });
  }
});

const COMBINATIONS = [[1, 1], [2, 2], [2, 3], [2, 4], [3, 3], [2, 5], [1, 7], [3, 6], [4, 5], [3, 7], [4, 100], [7, 7]] as const; // biome-ignore format: a table

const RATE = 0.1;

/** Returns a network of an LSTM (states h and c), a GRU (state h) and a dense layer. */
const plainNetwork = (): Network =>
  sequential(
    [
      lstm({ units: 4, returnSequences: true }),
      gru({ units: 3, returnSequences: true }),
      dense({ units: 2 }),
    ],
    { seed: 2 },
  );

type States = Record<string, Tensor>[];

/** Computes one step of all layers with their cells. */
function stepByHand(layers: readonly Layer[], x: Tensor, valid: Tensor, states: States) {
  let y = x;
  const next = layers.slice(0, -1).map((layer, n) => {
    const cell = (layer as Recurrent).cell as Cell;
    const context = { recurrentDropoutMask: null, constants: {}, prepared: {} };
    const result = cell.step(y, states[n], context);
    y = result.y;
    return Object.fromEntries(
      Object.entries(result.state).map(([name, value]) => {
        const previous = states[n][name];
        return [name, add(mul(valid, value), mul(sub(1, valid), previous))];
      }),
    );
  });
  return {
    y: layers[layers.length - 1].call([{ value: y, mask: null }], null as never)[0].value,
    states: next,
  };
}

/** Returns time step t of a tensor [B, T, ...]. */
const stepOf = (values: Tensor, t: number): Tensor => {
  const { shape } = values;
  const width = shape[2] ?? 1;
  const numbers = values.dataSync();
  const valueAt = (b: number, i: number) => numbers[(b * shape[1] + t) * width + i];
  return tensor(
    Float64Array.from({ length: shape[0] * width }, (_, n) => valueAt(Math.floor(n / width), n % width)),
    [shape[0], width],
  );
};

const sumOf = (values: Tensor, f: (value: number) => number): number => {
  let total = 0;
  for (const value of values.dataSync()) total += f(value);
  return total;
};

/** Trains by hand: one pass over the batch, with gradient descent. Returns the loss and the norm of each chunk. */
function byHand(
  model: Network,
  { x, y, mask }: ReturnType<typeof data>,
  { every, length }: { every: number; length: number },
) {
  const parameters = model.parameters as readonly Parameter[];
  const sizes = [['h', 'c'], ['h']];
  const units = [4, 3];
  const zero: States = sizes.map((names, n) =>
    Object.fromEntries(names.map((name) => [name, tensor(new Float64Array(B * units[n]), [B, units[n]])])),
  );
  /** For each step, the latest states before it. */
  const before: States[] = [zero];
  const results: { loss: number; norm: number; updated: boolean }[] = [];
  for (let chunk = 0; chunk * every < T; chunk++) {
    const [from, end] = [chunk * every, Math.min((chunk + 1) * every, T)];
    const start = Math.max(0, (chunk + 1) * every - length);
    const valid = Array.from({ length: T }, (_, t) => stepOf(reshape(mask, [B, T, 1]), t));
    const count = valid.slice(from, end).reduce((total, v) => total + sumOf(v, (m) => m), 0);
    const latest: States[] = [];
    const { value, grads } = valueAndGrad(() => {
      let states: States = before[start].map((layer) =>
        Object.fromEntries(Object.entries(layer).map(([name, s]) => [name, stopGradient(s)])),
      );
      const losses: Tensor[] = [];
      for (let t = start; t < end; t++) {
        latest[t] = keep(states);
        const result = stepByHand(model.layers, stepOf(x, t), valid[t], states);
        states = result.states;
        if (t >= from) losses.push(sum(mul(valid[t], mean(square(sub(result.y, stepOf(y, t))), [1], true))));
      }
      latest[end] = keep(states);
      return mul(sum(stack(losses)), 1 / Math.max(count, 1));
    }, parameters);
    latest.forEach((states, t) => {
      before[t] = states.map((layer) =>
        Object.fromEntries(Object.entries(layer).map(([n, s]) => [n, tensor(s.dataSync().slice(), s.shape)])),
      );
    });
    const squares = grads.reduce((total, g) => total + sumOf(g, (v) => v * v), 0);
    const updated = count > 0;
    results.push({ loss: value.item(), norm: updated ? Math.sqrt(squares) : 0, updated });
    if (!updated) continue;
    parameters.forEach((p, i) => {
      const g = grads[i].dataSync();
      p.assign(p.dataSync().map((w, k) => w - RATE * g[k]));
    });
  }
  return results;
}

const close = (got: number, expected: number, what: string, bound = 1e-11): void =>
  assert.ok(
    Math.abs(got - expected) <= bound * Math.max(1, Math.abs(expected)),
    `${what}: ${got}, not ${expected}`,
  );

describe('truncated backpropagation in float64', () => {
  before(() => setBackend(referenceBackend('float64')));

  const gaps = [[0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 0, 0, 0]]; // biome-ignore format: a table
  const lateStart = gaps.map((_, b) => [0, 0, 0, 0, 1, 1, b % 2]);
  const masks: Record<string, () => Tensor> = {
    'full sequences': () => maskOf([7, 7, 7, 7, 7, 7]),
    padding: () => maskOf([7, 2, 5, 6, 1, 4]),
    'padding at the end of all sequences': () => maskOf([4, 2, 4, 3, 1, 4]),
    gaps: () => tensor(gaps),
    'padding at the start of all sequences': () => tensor(lateStart),
  };
  for (const [name, makeMask] of Object.entries(masks)) {
    for (const [every, length] of COMBINATIONS) {
      test(`every ${every}, length ${length} equals the computation by hand: ${name}`, async () => {
        const examples = data(makeMask());
        const [model, modelByHand] = [plainNetwork(), plainNetwork()];
        modelByHand.build([[-1, T, I]]);
        const expected = byHand(modelByHand, examples, { every, length });
        const events = await eventsOf(model, {
          ...{
            ...examples,
            loss: 'mse',
            optimizer: { name: 'sgd', learningRate: RATE },
            batchSize: B,
            shuffle: false,
          },
          truncate: { every, length },
        });
        const steps = stepsOf(events);
        assert.equal(steps.length, Math.ceil(T / every));
        steps.forEach(({ loss, gradientNorm, updated, steps: total, step: n }, i) => {
          close(loss, expected[i].loss, `loss of chunk ${i}`);
          close(gradientNorm, expected[i].norm, `norm of chunk ${i}`);
          assert.equal(updated, expected[i].updated);
          assert.deepEqual([n, total], [i + 1, steps.length]);
        });
        const found = weightsOf(model);
        weightsOf(modelByHand).forEach((w, i) => {
          close(found[i], w, `weight ${i}`);
        });
      });
    }
  }

  /** Returns the step events of an epoch in which the weights do not change. */
  const eventsWithFixedWeights = async (
    model: Network,
    options: Partial<TrainOptions>,
  ): Promise<StepEvent[]> =>
    stepsOf(
      await eventsOf(model, {
        ...{ ...data(), loss: { name: 'mse', reduction: 'sum' }, batchSize: B, seed: 9 },
        optimizer: { name: 'sgd', learningRate: 1e-300 },
        ...options,
      } as TrainOptions),
    );
  const total = (events: readonly StepEvent[]): number => events.reduce((sum, { loss }) => sum + loss, 0);

  const sharedMaskNetworks: Record<string, () => Network> = {
    layers: () =>
      sequential(
        [
          dropout({ rate: 0.3, noiseShape: [null, 1, null] }),
          lstm({ units: 4, returnSequences: true, dropout: 0.3, recurrentDropout: 0.4 }),
          gru({ units: 4, returnSequences: true, recurrentDropout: 0.4, seed: 1 }),
          simpleRNN({ units: 4, returnSequences: true, dropout: 0.5, seed: 1 }),
          dense({ units: 2 }),
        ],
        { seed: 3 },
      ),
    'stacked cells': () =>
      sequential(
        [
          recurrent(
            stackedCells([
              lstmCell({ units: 3, recurrentDropout: 0.5 }),
              gruCell({ units: 3, dropout: 0.5 }),
            ]),
            { returnSequences: true, dropout: 0.2 },
          ),
          dense({ units: 2 }),
        ],
        { seed: 3 },
      ),
  };
  for (const [name, make] of Object.entries(sharedMaskNetworks)) {
    test(`dropout masks shared by all steps of a sequence are the same in all chunks: ${name}`, async () => {
      const [untruncated] = await eventsWithFixedWeights(make(), {});
      for (const [every, length] of COMBINATIONS) {
        const chunks = await eventsWithFixedWeights(make(), { truncate: { every, length } });
        close(total(chunks), untruncated.loss, `every ${every}, length ${length}`);
      }
    });
  }

  const networks: Record<string, () => Network> = {
    'stacked cells, dropout': sharedMaskNetworks['stacked cells'],
    'layers in a nested model, joined branches': () => {
      const x = input({ shape: [null, I] });
      const inner = sequential([layerNormalization(), gru({ units: 3, returnSequences: true })], {
        name: 'inner',
      });
      const joined = concatenate().apply([
        inner.apply(x),
        lstm({ units: 3, returnSequences: true }).apply(x),
      ]);
      return model({ inputs: x, outputs: dense({ units: 2 }).apply(simpleRNN({ units: 3, returnSequences: true }).apply(joined)), seed: 3 }); // biome-ignore format: one line
    },
    'a layer that is used twice': () => {
      const x = input({ shape: [null, I] });
      const shared = gru({ units: I, returnSequences: true, recurrentDropout: 0.3 });
      return model({ inputs: x, outputs: dense({ units: 2 }).apply(shared.apply(shared.apply(x))), seed: 3 });
    },
    'a cell without a fused kernel': () => {
      const layer = lstm({ units: 3, returnSequences: true, recurrentDropout: 0.3 });
      layer.stepwise = true;
      return sequential([layer, dense({ units: 2 })], { seed: 3 });
    },
  };
  for (const [name, make] of Object.entries(networks)) {
    test(`gradients reach back to the start of the window: ${name}`, async () => {
      // The window of the second chunk begins at step 0, so all of its gradients are those of full backpropagation.
      for (const [every, length] of [
        [2, 4],
        [2, 5],
        [1, 4],
        [3, 7],
      ] as const) {
        const steps = Array.from({ length: T }, (_, t) => (t >= every && t < 2 * every ? 1 : 0));
        const sampleWeights = tensor(Array.from({ length: B }, () => steps));
        const [untruncated] = await eventsWithFixedWeights(make(), { sampleWeights });
        const [, second] = await eventsWithFixedWeights(make(), { truncate: { every, length } });
        close(second.loss, untruncated.loss, `loss: every ${every}, length ${length}`);
        close(second.gradientNorm, untruncated.gradientNorm, `norm: every ${every}, length ${length}`);
      }
    });
  }

  test('dropout masks that are not shared differ between chunks, and are reproducible', async () => {
    const make = () => sequential([dropout({ rate: 0.5 }), dense({ units: 2 })], { seed: 3 });
    const equalSteps = { x: tensor(new Float64Array(B * T * I).fill(1), [B, T, I]), y: tensor(new Float64Array(B * T * 2), [B, T, 2]) }; // biome-ignore format: one line
    for (const length of [1, 3, 20]) {
      const run = async (seed: number) =>
        (await eventsWithFixedWeights(make(), { ...equalSteps, seed, truncate: { every: 1, length } })).map(
          ({ loss }) => loss,
        );
      const losses = await run(1);
      assert.equal(new Set(losses).size, T, `length ${length}: ${losses}`);
      assert.deepEqual(await run(1), losses);
      assert.notDeepEqual(await run(2), losses);
    }
  });

  test('penalties on outputs are added once for each step, and penalties on weights once for each update', async () => {
    const make = (weights: boolean, outputs: boolean) =>
      sequential(
        [
          lstm({ units: 4, returnSequences: true, ...(outputs && { activityRegularizer: 'l2' }) }),
          dense({
            units: 2,
            ...(weights && { kernelRegularizer: 'l2' }),
            ...(outputs && { activityRegularizer: 'l1' }),
          }),
        ],
        { seed: 3, ...(outputs && { activityRegularizer: 'l2' }) },
      );
    const untruncated = await Promise.all([
      eventsWithFixedWeights(make(false, false), {}),
      eventsWithFixedWeights(make(true, false), {}),
      eventsWithFixedWeights(make(false, true), {}),
    ]);
    const [loss, withWeights, withOutputs] = untruncated.map(total);
    for (const [every, length] of COMBINATIONS) {
      const chunks = await eventsWithFixedWeights(make(true, true), { truncate: { every, length } });
      const expected = loss + (withWeights - loss) * chunks.length + (withOutputs - loss);
      close(total(chunks), expected, `every ${every}, length ${length}`);
    }
  });

  test('each chunk updates the moving statistics once, with its own steps only', async () => {
    const { x } = data();
    const values = x.dataSync();
    for (const [every, length] of [
      [2, 2],
      [2, 4],
      [3, 7],
    ] as const) {
      const model = sequential([batchNormalization({ momentum: 0.9 }), dense({ units: 2 })], { seed: 3 });
      await eventsWithFixedWeights(model, { truncate: { every, length } });
      const expected = new Float64Array(I);
      for (let start = 0; start < T; start += every) {
        const end = Math.min(start + every, T);
        for (let i = 0; i < I; i++) {
          let sum = 0;
          for (let b = 0; b < B; b++) for (let t = start; t < end; t++) sum += values[(b * T + t) * I + i];
          expected[i] = 0.9 * expected[i] + (0.1 * sum) / (B * (end - start));
        }
      }
      const moving = model.parameters.find((p) => p.name.endsWith('moving_mean'))!.dataSync();
      expected.forEach((value, i) => {
        close(moving[i], value, `every ${every}, length ${length}`, 1e-6); // 1e-7 is added to the number of steps
      });
    }
  });
});
