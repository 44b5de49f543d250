/** Builds a row as an Unroll model, and trains it step by step. */
import type { Tensor } from '@unroll/core';
import {
  bidirectional,
  dense,
  embedding,
  gru,
  input,
  type Layer,
  lstm,
  model,
  type Network,
  type Recurrent,
  sequential,
  simpleRNN,
} from '@unroll/nn';
import { adam, losses, train } from '@unroll/train';
import type { RowData } from '../data.js';
import type { Row, Variant } from '../rows.js';

/** The weights are set afterwards. At these sizes the default orthogonal initialiser takes seconds. */
const ZEROS = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' } as const;

interface RecurrentChoice {
  units: number;
  returnSequences?: boolean;
  returnState?: boolean;
}

function recurrentLayer({ kind }: Row, options: RecurrentChoice, variant: Variant): Recurrent {
  const chosen = { ...options, ...ZEROS };
  if (kind === 'gru') return gru({ ...chosen, resetAfter: variant !== 'reset-before' });
  return kind === 'lstm' ? lstm(chosen) : simpleRNN(chosen);
}

/** Creates the model, not built yet, and its layers in the order of the row's weights. */
function assemble(row: Row, variant: Variant): { network: Network; layers: Layer[] } {
  const { I, H, whole } = row;
  const table = (): Layer => embedding({ inputDim: whole!.vocabulary, outputDim: I });
  if (whole?.model === 'classifier') {
    const cell = recurrentLayer(row, { units: H }, variant);
    const hidden = dense({ units: whole.hidden, activation: 'relu' });
    const layers = [table(), cell, hidden, dense({ units: whole.classes })];
    return { network: sequential(layers), layers };
  }
  if (whole?.model === 'translator') {
    const source = input({ shape: [null] });
    const target = input({ shape: [null] });
    const tables = [table(), table()] as const;
    const encoder = recurrentLayer(row, { units: H, returnState: true }, variant);
    const decoder = recurrentLayer(row, { units: H, returnSequences: true }, variant);
    const out = dense({ units: whole.classes });
    const [, ...initialState] = encoder.apply(tables[0].apply(source));
    const decoded = decoder.apply(tables[1].apply(target), { initialState });
    const network = model({ inputs: [source, target], outputs: out.apply(decoded) });
    return { network, layers: [tables[0], encoder, tables[1], decoder, out] };
  }
  const layers = row.layers.map((spec) => {
    const layer = recurrentLayer(row, { units: H, returnSequences: spec.sequences }, variant);
    return spec.bidirectional ? bidirectional(layer) : layer;
  });
  return { network: sequential(layers), layers };
}

export function buildModel(row: Row, { inputs, weights }: RowData, variant: Variant): Network {
  const { network, layers } = assemble(row, variant);
  network.build(inputs.map(({ shape }) => [-1, ...shape.slice(1)]));
  const parameters = layers.flatMap((layer) => layer.parameters);
  parameters.forEach((parameter, i) => {
    // A GRU with the reset gate before the product has only the first of the two biases.
    parameter.assign(weights[i].values.subarray(0, parameter.size));
  });
  return network;
}

/**
 * Returns a function that runs one step of the loop of `fit` and resolves to its loss. Every step uses the same batch.
 */
export function trainingStep(row: Row, network: Network, x: Tensor[], y: Tensor): () => Promise<number> {
  const batches = {
    *[Symbol.iterator]() {
      for (;;) yield { x, y };
    },
  };
  const events = train(network, {
    batches,
    loss: row.whole ? losses.sparseCategoricalCrossentropy({ fromLogits: true }) : losses.mse(),
    // Libraries add epsilon before (Keras) or after (PyTorch) the bias correction. All engines use a negligible one.
    optimizer: adam({ epsilon: 1e-12 }),
    epochs: 1,
  });
  return async () => {
    for (;;) {
      const { value } = await events.next();
      if (value?.type === 'step') return value.loss;
    }
  };
}
