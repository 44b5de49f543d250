/** Builds the model of a row of the benchmark table in Unroll, and trains it step by step. */
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
import { adam, type Loss, losses, train } from '@unroll/train';
import type { RowData } from '../data.js';
import type { Row, Variant } from '../rows.js';

/** The weights are set afterwards. At these sizes the default orthogonal initialiser takes seconds. */
const ZEROS = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' } as const;

interface RecurrentSettings {
  units: number;
  returnSequences?: boolean;
  returnState?: boolean;
}

function recurrentLayer({ kind }: Row, options: RecurrentSettings, variant: Variant): Recurrent {
  const settings = { ...options, ...ZEROS };
  if (kind === 'gru') return gru({ ...settings, resetAfter: variant !== 'reset-before' });
  return kind === 'lstm' ? lstm(settings) : simpleRNN(settings);
}

/** Creates the model without building it. @returns the model, and its layers in the order of the row's weights */
function assemble(row: Row, variant: Variant): { network: Network; layers: Layer[] } {
  const { I, H, textModel } = row;
  const table = (): Layer => embedding({ inputDim: textModel!.vocabulary, outputDim: I });
  if (textModel?.model === 'classifier') {
    const cell = recurrentLayer(row, { units: H }, variant);
    const hidden = dense({ units: textModel.hidden, activation: 'relu' });
    const layers = [table(), cell, hidden, dense({ units: textModel.classes })];
    return { network: sequential(layers), layers };
  }
  if (textModel?.model === 'translator') {
    const source = input({ shape: [null] });
    const target = input({ shape: [null] });
    const tables = [table(), table()] as const;
    const encoder = recurrentLayer(row, { units: H, returnState: true }, variant);
    const decoder = recurrentLayer(row, { units: H, returnSequences: true }, variant);
    const out = dense({ units: textModel.classes });
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

/** Builds the model of a row with its weights. */
export function buildModel(row: Row, { inputs, weights }: RowData, variant: Variant): Network {
  const { network, layers } = assemble(row, variant);
  network.build(inputs.map(({ shape }) => [-1, ...shape.slice(1)]));
  const parameters = layers.flatMap((layer) => layer.parameters);
  parameters.forEach((parameter, i) => {
    // A GRU with the reset gate before the matrix product has only the first of the two biases.
    parameter.assign(weights[i].values.subarray(0, parameter.size));
  });
  return network;
}

/** Like {@link makeTrainingStep}, with the loss of the row. */
export function makeRowTrainingStep(
  row: Row,
  network: Network,
  x: Tensor[],
  y: Tensor,
): () => Promise<number> {
  const loss = row.textModel ? losses.sparseCategoricalCrossentropy({ fromLogits: true }) : losses.mse();
  return makeTrainingStep(network, x, y, loss);
}

/**
 * Returns a function that runs one training step of `fit` and resolves to its loss. Every step uses the same batch.
 */
export function makeTrainingStep(
  network: Network,
  x: Tensor[],
  y: Tensor,
  loss: Loss,
): () => Promise<number> {
  const batches = {
    *[Symbol.iterator]() {
      for (;;) yield { x, y };
    },
  };
  const events = train(network, {
    batches,
    loss,
    // Keras adds epsilon before the bias correction, PyTorch after it. All engines use a negligible epsilon.
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
