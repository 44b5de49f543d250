/** A row as a model of Unroll's layers, and the steps that train it. */
import type { Tensor } from '@unroll/core';
import { bidirectional, gru, lstm, type Network, type Recurrent, sequential, simpleRNN } from '@unroll/nn';
import { adam, mse, train } from '@unroll/train';
import type { RowData } from '../data.js';
import type { Row, Variant } from '../rows.js';

const makers: Record<Row['kind'], (units: number, returnSequences: boolean, variant: Variant) => Recurrent> =
  {
    rnn: (units, returnSequences) => simpleRNN({ units, returnSequences, ...ZEROS }),
    lstm: (units, returnSequences) => lstm({ units, returnSequences, ...ZEROS }),
    gru: (units, returnSequences, variant) =>
      gru({ units, returnSequences, resetAfter: variant !== 'reset-before', ...ZEROS }),
  };

/** The weights are set right after; orthogonal ones take seconds to make at these sizes. */
const ZEROS = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' } as const;

export function buildModel(row: Row, { weights }: RowData, variant: Variant): Network {
  const model = sequential(
    row.layers.map((spec) => {
      const layer = makers[row.kind](row.H, spec.sequences, variant);
      return spec.bidirectional ? bidirectional(layer) : layer;
    }),
  );
  model.build([[-1, row.T, row.I]]);
  const oneBias = row.kind === 'gru' && variant === 'reset-before';
  model.setWeights(
    weights.map(({ name, shape, values }) => {
      const width = shape.at(-1)!;
      return oneBias && name.endsWith('/b')
        ? { shape: [width], values: values.slice(0, width) }
        : { shape, values };
    }),
  );
  return model;
}

/** One step of the loop that `fit` runs: one batch an epoch, for ever. Gives its loss. */
export function trainingStep(model: Network, x: Tensor, y: Tensor): () => Promise<number> {
  // Keras adds epsilon before the bias correction, PyTorch after it: one too small to matter makes them agree.
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
