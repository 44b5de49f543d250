/** Builds the model of a row of the benchmark table in TensorFlow.js. */
import type { RowData } from '../data.js';
import type { Row, TextModel } from '../rows.js';
import {
  LAYERS,
  recurrentOptions,
  type TfLayer,
  type TfModel,
  type TfSymbol,
  type TfTensor,
  tf,
} from './tf.js';

/** Returns the weights of the row. A GRU of TensorFlow.js has no recurrent bias, so only the input bias is used. */
export function weightTensors({ kind }: Row, { weights }: RowData): TfTensor[] {
  return weights.map(({ name, shape, values }) => {
    const width = shape[shape.length - 1];
    const hasTwoBiases = kind === 'gru' && name.endsWith('/b') && shape.length === 2;
    return hasTwoBiases ? tf.tensor(values.slice(0, width), [width]) : tf.tensor(values, shape);
  });
}

/** Assigns the weights of the row to the layers in order. Each layer takes the next `count` weights. */
function setWeights(row: Row, data: RowData, layers: [layer: TfLayer, count: number][]): void {
  const weights = weightTensors(row, data);
  let next = 0;
  for (const [layer, count] of layers) layer.setWeights(weights.slice(next, (next += count)));
  for (const weight of weights) weight.dispose();
}

const recurrent = (row: Row, options: object): TfLayer =>
  tf.layers[LAYERS[row.kind]]({ ...recurrentOptions(row), ...options });

/** Builds the model of the row with its weights. */
export function buildModel(row: Row, data: RowData): TfModel {
  if (row.textModel) return buildTextModel(row, row.textModel, data);
  const layers = row.layers.map(({ bidirectional, sequences }, i) => {
    const inputShape = i === 0 ? { inputShape: [row.T, row.I] } : {};
    if (!bidirectional) return recurrent(row, { returnSequences: sequences, ...inputShape });
    const layer = recurrent(row, { returnSequences: sequences });
    return tf.layers.bidirectional({ layer, mergeMode: 'concat', ...inputShape });
  });
  const model = tf.sequential({ layers });
  setWeights(row, data, [[model, data.weights.length]]);
  return model;
}

function buildTextModel(row: Row, { model, vocabulary, hidden, classes }: TextModel, data: RowData): TfModel {
  const table = (): TfLayer => tf.layers.embedding({ inputDim: vocabulary, outputDim: row.I });
  const dense = (units: number, activation = 'linear'): TfLayer => tf.layers.dense({ units, activation });
  const tokens = (): TfSymbol => tf.input({ shape: [row.T] });
  if (model === 'classifier') {
    const layers = [table(), recurrent(row, {}), dense(hidden, 'relu'), dense(classes)];
    const text = tokens();
    const outputs = layers.reduce((x, layer) => layer.apply(x) as TfSymbol, text);
    const network = tf.model({ inputs: [text], outputs });
    setWeights(row, data, [[network, data.weights.length]]);
    return network;
  }
  const [source, target] = [tokens(), tokens()];
  const tables = [table(), table()] as const;
  const encoder = recurrent(row, { returnState: true });
  const decoder = recurrent(row, { returnSequences: true });
  const out = dense(classes);
  const [, ...initialState] = encoder.apply(tables[0].apply(source)) as TfSymbol[];
  const decoded = decoder.apply(tables[1].apply(target), { initialState });
  const network = tf.model({ inputs: [source, target], outputs: out.apply(decoded) as TfSymbol });
  setWeights(row, data, [
    [tables[0], 1],
    [encoder, 3],
    [tables[1], 1],
    [decoder, 3],
    [out, 2],
  ]);
  return network;
}
