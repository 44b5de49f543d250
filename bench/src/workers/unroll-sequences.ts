/** Runs the rows of `npm run bench:sequences` (networks with their sizes, sequences/rows.ts) with Unroll. */
import { crfLogLoss, ctc, full, scope, sum, type Tensor, tensor, valueAndGrad } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import {
  attention,
  attentionDecoder,
  beamSearch,
  dense,
  embedding,
  input,
  type Layer,
  layerNormLstm,
  lstm,
  lstmCell,
  minGru,
  model,
  type Network,
  projectedLstm,
  type Recurrent,
  sequential,
} from '@unroll/nn';
import { losses } from '@unroll/train';
import type { NamedTensor, RowData } from '../data.js';
import type { SequenceMode, SequenceRow } from '../sequences/rows.js';
import type { PreparedRow } from './serve.js';
import { makeTrainingStep } from './unroll-model.js';

/** The weights are set afterwards. At these sizes the default orthogonal initialiser takes seconds. */
const ZEROS = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' } as const;

const toTensor = ({ values, shape }: NamedTensor): Tensor => tensor(values, shape);

/** Sets the parameters of the layers, in order. @throws Error if their shapes differ from those of the weights */
function assignWeights(layers: readonly Layer[], weights: readonly NamedTensor[]): void {
  const parameters = layers.flatMap((layer) => layer.parameters);
  const shapes = (tensors: readonly { shape: readonly number[] }[]): string =>
    tensors.map(({ shape }) => `[${shape}]`).join(' ');
  if (shapes(parameters) !== shapes(weights))
    throw new Error(`parameters have the shapes ${shapes(parameters)}, weights ${shapes(weights)}`);
  parameters.forEach((parameter, i) => {
    parameter.assign(weights[i].values);
  });
}

function recurrentLayer({ kind, sizes }: SequenceRow): Recurrent {
  const units = sizes.H;
  switch (kind) {
    case 'projected-lstm':
      return projectedLstm({ units, projection: sizes.P, ...ZEROS });
    case 'layer-norm-lstm':
      return layerNormLstm({ units, normalizeState: true, ...ZEROS });
    case 'min-gru':
      return minGru({ units, kernelInitializer: 'zeros' });
    default:
      throw new Error(`"${kind}" is not a recurrent layer.`);
  }
}

/** Builds an encoder, a decoder that attends to the encoder's outputs, and a layer for the logits of every step. */
function buildTranslator({ sizes }: SequenceRow, weights: readonly NamedTensor[]): Network {
  const { E, H, V } = sizes;
  const source = input({ shape: [null], name: 'source' });
  const previous = input({ shape: [null], name: 'previous' });
  const tables = [0, 1].map(() => embedding({ inputDim: V, outputDim: E }));
  const encoder = lstm({ units: H, returnSequences: true, ...ZEROS });
  const cell = lstmCell({ units: H, ...ZEROS });
  const decoder = attentionDecoder(cell, attention({ scoreMode: 'general' }), { returnSequences: true });
  const out = dense({ units: V, kernelInitializer: 'zeros' });
  const encoded = encoder.apply(tables[0].apply(source));
  const decoded = decoder.apply(tables[1].apply(previous), { constants: [encoded] });
  const network = model({ inputs: [source, previous], outputs: out.apply(decoded) });
  network.build();
  assignWeights([tables[0], encoder, tables[1], decoder, out], weights);
  return network;
}

function prepareRecurrent(
  row: SequenceRow,
  mode: SequenceMode,
  { inputs, y, weights }: RowData,
): PreparedRow {
  const layer = recurrentLayer(row);
  const network = sequential([layer]);
  network.build([[-1, ...inputs[0].shape.slice(1)]]);
  assignWeights([layer], weights);
  const x = toTensor(inputs[0]);
  if (mode === 'train') {
    const step = makeTrainingStep(network, [x], toTensor(y), losses.mse());
    return { work: step, step };
  }
  const sequences = [{ value: x, mask: null }];
  const context = inferenceContext();
  const work = (): Tensor => scope(() => network.forward(sequences, context)[0].value);
  return { work, outputs: () => work().dataSync() as Float32Array };
}

/** Prepares a loss and its gradients with respect to `variables`. The results are the loss, followed by the gradients. */
function prepareGradient(loss: () => Tensor, variables: readonly Tensor[]): PreparedRow {
  const compute = () => valueAndGrad(() => sum(loss()), variables);
  return {
    work: () => scope(() => compute().value),
    outputs: () => {
      const { value, grads } = compute();
      return Float32Array.from([value, ...grads].flatMap((result) => Array.from(result.dataSync())));
    },
  };
}

function prepareCtc({ sizes }: SequenceRow, { inputs, y }: RowData): PreparedRow {
  const { B, T, L } = sizes;
  const [logits, labels] = [toTensor(inputs[0]), toTensor(y)];
  const [lengths, labelLengths] = [full([B], T), full([B], L)];
  return prepareGradient(() => ctc(logits, labels, lengths, labelLengths), [logits]);
}

function prepareCrf({ inputs, y, weights }: RowData): PreparedRow {
  const [emissions, tags] = [toTensor(inputs[0]), toTensor(y)];
  const [transitions, start, end] = weights.map(toTensor);
  const scores = { transitions, start, end };
  return prepareGradient(() => crfLogLoss(emissions, scores, tags), [emissions, transitions, start, end]);
}

function prepareSearch(row: SequenceRow, { inputs, weights }: RowData): PreparedRow {
  const { width, length, start } = row.sizes;
  const network = buildTranslator(row, weights);
  const source = toTensor(inputs[0]);
  const search = () =>
    beamSearch(network.stream({ inputs: { source } }), { prompt: start, maxLength: length, width });
  return {
    work: search,
    outputs: async () => Float32Array.from((await search()).flatMap(([best]) => best.tokens)),
  };
}

export async function prepareSequence(
  row: SequenceRow,
  mode: SequenceMode,
  data: RowData,
): Promise<PreparedRow> {
  switch (row.kind) {
    case 'ctc':
      return prepareCtc(row, data);
    case 'crf':
      return prepareCrf(data);
    case 'beam-search':
      return prepareSearch(row, data);
    case 'attention-decoder': {
      const loss = losses.sparseCategoricalCrossentropy({ fromLogits: true });
      const network = buildTranslator(row, data.weights);
      const step = makeTrainingStep(network, data.inputs.map(toTensor), toTensor(data.y), loss);
      return { work: step, step };
    }
    default:
      return prepareRecurrent(row, mode, data);
  }
}
