/**
 * Builds the network of a problem with one kind of cell: an embedding for tokens, recurrent layers, and a dense output layer. With
 * attention, the recurrent layers are the encoder, and a decoder of the same cell attends to their outputs.
 */
import {
  additiveAttention,
  attentionDecoder,
  type Cell,
  chronoInitializer,
  dense,
  embedding,
  gru,
  gruCell,
  identityMatrix,
  input,
  type Layer,
  lstm,
  lstmCell,
  minGru,
  minGruCell,
  model,
  type Network,
  orthogonal,
  type RecurrentOptions,
  sequential,
  simpleRNN,
  simpleRNNCell,
} from '@unroll/nn';
import type { Problem } from '../problems/problem.js';
import type { CellKind, Settings } from '../state/settings.js';

const MAX_EMBEDDING = 24;

export function networkOf(problem: Problem, cell: CellKind, settings: Settings): Network {
  const { vocabulary, outputs, perStep } = problem;
  if (problem.attention) return attentionNetwork(problem, cell, settings);
  const layers: Layer[] = [];
  if (vocabulary) {
    const outputDim = Math.min(MAX_EMBEDDING, vocabulary.length);
    layers.push(embedding({ inputDim: vocabulary.length, outputDim, name: 'embedding' }));
  }
  for (let n = 0; n < settings.layers; n++) {
    const returnSequences = perStep || n < settings.layers - 1;
    layers.push(recurrentLayer(cell, settings, { returnSequences, name: `${cell}${n + 1}` }, n));
  }
  layers.push(dense({ units: outputs, name: 'output' }));
  const network = sequential(layers, { seed: settings.seed });
  network.build([vocabulary ? [-1, problem.steps] : [-1, problem.steps, problem.features.length]]);
  return network;
}

/** Builds a network with attention. Its inputs are the source ids and, for every step, the previous target. */
function attentionNetwork({ vocabulary, outputs }: Problem, cell: CellKind, settings: Settings): Network {
  const { units, layers, seed } = settings;
  const embed = (inputDim: number, name: string) =>
    embedding({ inputDim, outputDim: Math.min(MAX_EMBEDDING, inputDim), name });
  const source = input({ shape: [null], name: 'source' });
  const previous = input({ shape: [null], name: 'previous' });
  let encoded = embed(vocabulary?.length ?? 0, 'embedding').apply(source);
  for (let n = 0; n < layers; n++) {
    const common = { returnSequences: true, name: `encoder${n + 1}` };
    encoded = recurrentLayer(cell, settings, common, n).apply(encoded);
  }
  const decoder = attentionDecoder(decoderCell(cell, settings), additiveAttention({ units }), {
    returnSequences: true,
    name: 'decoder',
  });
  const decoded = decoder.apply(embed(outputs + 1, 'previous_embedding').apply(previous), {
    constants: [encoded],
  });
  const output = dense({ units: outputs, name: 'output' }).apply(decoded);
  return model({ inputs: [source, previous], outputs: output, seed });
}

function decoderCell(cell: CellKind, settings: Settings): Cell {
  const { units, init, dropout } = settings;
  // The input of the decoder (the previous targets) can have dropout, because the encoder reads the actual input of the problem.
  if (cell === 'minGru') return minGruCell({ units, dropout });
  const options = { units, dropout, recurrentDropout: dropout, ...recurrentWeights(cell, init) };
  if (cell === 'lstm') return lstmCell({ ...options, ...chronoBias(cell, settings) });
  return cell === 'gru' ? gruCell({ ...options, ...chronoBias(cell, settings) }) : simpleRNNCell(options);
}

function recurrentLayer(cell: CellKind, settings: Settings, common: RecurrentOptions, index: number): Layer {
  const { units, init, dropout } = settings;
  // Dropout of the raw inputs would remove the information that a problem consists of.
  const inputDropout = { dropout: index > 0 ? dropout : 0 };
  if (cell === 'minGru') return minGru({ units, ...common, ...inputDropout });
  const options = {
    units,
    ...common,
    ...inputDropout,
    recurrentDropout: dropout,
    ...recurrentWeights(cell, init),
  };
  if (cell === 'lstm') return lstm({ ...options, ...chronoBias(cell, settings) });
  if (cell === 'gru') return gru({ ...options, ...chronoBias(cell, settings) });
  return simpleRNN(options);
}

const chronoBias = (cell: 'lstm' | 'gru', { init, length }: Settings) =>
  init === 'chrono' ? { biasInitializer: chronoInitializer({ maxSteps: Math.max(3, length), cell }) } : {};

function recurrentWeights(cell: CellKind, init: Settings['init']) {
  if (init === 'glorot') return { recurrentInitializer: 'glorotUniform' as const };
  if (init === 'large') return { recurrentInitializer: orthogonal({ gain: 1.5 }) };
  // Le, Jaitly & Hinton (2015). Only the recurrent matrix of a plain RNN is square.
  if (init === 'identity' && cell === 'rnn') return { recurrentInitializer: identityMatrix({}) };
  return {};
}
