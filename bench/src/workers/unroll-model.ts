/** A row as a model of Unroll's layers, and the steps that train it. */
import type { Tensor } from '@unroll/core';
import * as nn from '@unroll/nn';
import { adam, mse, train } from '@unroll/train';
import type { RowData } from '../data.js';
import type { CellName, Row, Variant } from '../rows.js';
import { Unavailable } from './serve.js';

type Maker = (options: Record<string, unknown>) => nn.Layer;
const makers = nn as unknown as Record<string, Maker | undefined>;
const NAMES: Record<CellName, string[]> = {
  rnn: ['simpleRNN', 'simpleRnn', 'rnn'],
  lstm: ['lstm'],
  gru: ['gru'],
};

/** The maker of the first of these names that this version of @unroll/nn has. */
function maker(...names: string[]): Maker {
  const found = names.find((name) => makers[name]);
  if (found === undefined) throw new Unavailable(`this version has no ${names[0]} layer`);
  return makers[found]!;
}

export function buildModel(
  row: Row,
  { weights }: RowData,
  variant: Variant,
  returnState = false,
): nn.Sequential {
  const make = maker(...NAMES[row.kind]);
  const layers = row.layers.map(({ bidirectional, sequences }) => {
    // The weights are set right after; orthogonal ones take seconds to make at these sizes.
    const zeros = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' };
    const options = { units: row.H, returnSequences: sequences, returnState, ...zeros };
    const layer = make(row.kind === 'gru' ? { ...options, resetAfter: variant === 'standard' } : options);
    return bidirectional
      ? (maker('bidirectional') as unknown as (inner: nn.Layer) => nn.Layer)(layer)
      : layer;
  });
  const model = nn.sequential(layers);
  model.build([[-1, row.T, row.I]]);
  const one = row.kind === 'gru' && variant === 'reset-before'; // one bias then, not two
  model.setWeights(
    weights.map(({ name, shape, values }) => {
      const width = shape.at(-1)!;
      return one && name.endsWith('/b')
        ? { shape: [width], values: values.slice(0, width) }
        : { shape, values };
    }),
  );
  return model;
}

/** One step of the loop that `fit` runs: one batch an epoch, for ever. Gives its loss. */
export function trainingStep(model: nn.Sequential, x: Tensor, y: Tensor): () => Promise<number> {
  // Keras adds epsilon before the bias correction, PyTorch after it: one too small to matter makes them
  // agree.
  const optimizer = adam({ epsilon: 1e-10 });
  const options = { loss: mse(), optimizer, batchSize: x.shape[0]!, epochs: 1e9, shuffle: false };
  const events = train(model, { x, y, ...options });
  return async () => {
    for (;;) {
      const { value } = await events.next();
      if (value?.type === 'step') return value.loss;
    }
  };
}
