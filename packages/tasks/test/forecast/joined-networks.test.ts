// Intervals of joined networks, recomputed from the outputs of each network: the formula of each head, and the mean of both networks.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { predict, tensor } from '@unroll/core';
import { parseCsv } from '@unroll/data';
import { type FittedNetwork, type HeadName, panelFromTable } from '@unroll/tasks';
import {
  CheckpointedTrainer,
  fitNetwork,
  JoinedNetworks,
  joinNetworks,
  makeHead,
  negativeBinomialQuantile,
  networkPlanOf,
  planForecast,
  studentTQuantile,
} from '@unroll/tasks/internal';

const file = new URL('../../../cli/data/air-passengers.csv', import.meta.url);
const panel = panelFromTable(parseCsv(readFileSync(file, 'utf8')), { target: 'passengers' });
const values = panel.series[0]!.values;
const softplus = (x: number) => Math.log(1 + Math.exp(x));

/** Normal quantiles from a printed table. */
const Z: Record<number, number> = {
  0.025: -1.959963985,
  0.1: -1.281551566,
  0.5: 0,
  0.9: 1.281551566,
  0.975: 1.959963985,
};
const LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975];
/**
 * For each head, computes a quantile from the outputs `n`. Input counts are divided by `unit`, which is 1 plus the mean of the
 * window.
 */
const BY_HAND: Record<Exclude<HeadName, 'point'>, (n: number[], level: number, unit: number) => number> = {
  quantile: (n, level) => n.toSorted((a, b) => a - b)[LEVELS.indexOf(level)]!,
  gaussian: (n, level) => n[0]! + softplus(n[1]!) * Z[level]!,
  studentt: (n, level) => n[0]! + softplus(n[1]!) * studentTQuantile(level, 2 + softplus(n[2]!)),
  negbin: (n, level, unit) =>
    negativeBinomialQuantile(level, unit * softplus(n[0]!), softplus(n[1]!) / Math.sqrt(unit)),
};

for (const [name, quantile] of Object.entries(BY_HAND)) {
  test(`head ${name}: the median and the bounds of two intervals follow from the outputs`, async () => {
    const head = makeHead(name as HeadName, [0.8, 0.95]);
    const plan = planForecast(panel, { horizon: 4, counts: name === 'negbin' });
    const trainer = new CheckpointedTrainer(null);
    const options = {
      cell: 'lstm' as const,
      units: 4,
      layers: 1,
      seed: 0,
      learningRate: 0.01,
      head,
      trainer,
    };
    const networks: FittedNetwork[] = [];
    for (const representation of plan.representations) {
      const run = fitNetwork(panel, networkPlanOf(plan, representation), { cut: plan.cut }, options, 2);
      let next = await run.next();
      while (!next.done) next = await run.next();
      networks.push(next.value);
    }
    const encoders = networks.map(({ encoder }) => encoder);
    const parts = {
      model: joinNetworks(networks),
      head,
      encoders,
      representations: plan.representations,
      plan,
      levels: [0.8, 0.95],
    };
    const origins = [100, 131].map((origin) => ({ series: 0, origin }));
    const forecasts = await new JoinedNetworks(parts).forecast(panel, origins);
    for (const [i, origin] of origins.entries()) {
      const row = origin.origin;
      const window = values.slice(row - plan.window, row);
      const unit = 1 + window.reduce((sum, value) => sum + value, 0) / window.length;
      const expected = LEVELS.map(() => new Float64Array(4));
      for (const { model, encoder } of networks) {
        const { inputs } = encoder.encode([origin]);
        const out = await (await predict(model, tensor(inputs, [1, plan.window, encoder.inputWidth]))).data();
        for (const [q, level] of LEVELS.entries()) {
          const numbers = (k: number) => [...out.slice(k * head.outputs, (k + 1) * head.outputs)];
          const scaled = Float64Array.from({ length: 4 }, (_, k) => quantile(numbers(k), level, unit));
          for (const [k, value] of encoder.output(origin, scaled).entries())
            expected[q]![k] = expected[q]![k]! + value / 2;
        }
      }
      const { median, lower, upper } = forecasts[i]!;
      for (const [q, got] of [lower[1]!, lower[0]!, median, upper[0]!, upper[1]!].entries()) {
        for (let k = 0; k < 4; k++) {
          const relativeError = Math.abs(got[k]! / expected[q]![k]! - 1);
          assert.ok(
            relativeError < 1e-6,
            `origin ${row}, ${LEVELS[q]}, step ${k + 1}: ${got[k]} is not ${expected[q]![k]}`,
          );
        }
      }
      assert.ok(
        upper[0]!.every((value, k) => value > lower[0]![k]!),
        'intervals have a width',
      );
    }
  });
}
