/**
 * The engine TensorFlow.js with its WebAssembly backend, which uses SIMD and, except in Node, threads. Models are built
 * from `tf.layers`. Its GRU supports the reset gate only before the matrix product.
 */
import { peerVersion, threads } from '#host';
import type { NamedTensor, RowData } from '../data.js';
import type { Mode, Row } from '../rows.js';
import { type PreparedRow, serve, takeLastStep, Unavailable } from './serve.js';
import { LAYERS, recurrentOptions, type TfTensor, tf, wasm } from './tf.js';
import { buildModel, weightTensors } from './tfjs-model.js';

const hasThreads = tf.env().get('WASM_HAS_MULTITHREAD_SUPPORT') === true;

function prepareStream(row: Row, data: RowData): PreparedRow {
  const { I, H } = row;
  const cell = tf.layers[`${LAYERS[row.kind]}Cell`](recurrentOptions(row));
  cell.build([1, I]);
  const weights = weightTensors(row, data);
  cell.setWeights(weights);
  const steps = Array.from({ length: data.inputs[0].shape[1] }, (_, t) =>
    tf.tensor(data.inputs[0].values.slice(t * I, (t + 1) * I), [1, I]),
  );
  const zeroStates = (): TfTensor[] =>
    Array.from({ length: row.kind === 'lstm' ? 2 : 1 }, () => tf.zeros([1, H]));
  let states = zeroStates();
  let step = 0;
  const work = (): Float32Array =>
    tf.tidy(() => {
      const [y, ...next] = cell.call([steps[step++ % steps.length], ...states], {});
      for (const state of states) state.dispose();
      states = next.map((state) => tf.keep(state));
      return y.dataSync();
    });
  return {
    work,
    outputs: () => {
      states = zeroStates();
      let last = new Float32Array();
      for (const _ of steps) last = work() as Float32Array<ArrayBuffer>;
      return last;
    },
    drop: () => {
      for (const tensor of [...weights, ...steps, ...states]) tensor.dispose();
    },
  };
}

async function prepare(row: Row, mode: Mode, data: RowData): Promise<PreparedRow> {
  if (threads > 1 && !hasThreads) {
    throw new Unavailable('does not support threads in Node');
  }
  const variant = row.kind === 'gru' ? 'reset-before' : 'standard';
  if (mode === 'stream') return { ...prepareStream(row, data), variant };
  const model = buildModel(row, data);
  const toTensor = ({ values, shape }: NamedTensor): TfTensor =>
    row.textModel ? tf.tensor(Int32Array.from(values), shape, 'int32') : tf.tensor(values, shape);
  const inputs = data.inputs.map(toTensor);
  const classes = row.textModel?.classes;
  const target = toTensor(data.y);
  const y = classes ? tf.tidy(() => tf.oneHot(target, classes)) : target;
  const drop = (): void => {
    for (const tensor of [...inputs, y]) tensor.dispose();
    model.dispose();
  };
  if (mode === 'infer') {
    const work = (): Float32Array => tf.tidy(() => model.apply(inputs).dataSync());
    return { variant, work, outputs: () => takeLastStep(work(), row), drop };
  }
  const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-12);
  const lossOf = classes ? tf.losses.softmaxCrossEntropy : tf.losses.meanSquaredError;
  const loss = (): TfTensor => lossOf(y, model.apply(inputs, { training: true }));
  const minimize = async (): Promise<number> =>
    tf.tidy(() => optimizer.minimize(loss, true).dataSync()[0] ?? Number.NaN);
  // trainOnBatch does not support cross-entropy from logits.
  if (classes) return { variant, work: minimize, step: minimize, drop };
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const step = (): Promise<number> => model.trainOnBatch(inputs, y);
  return { variant, work: step, alternatives: { 'optimizer.minimize': minimize }, step, drop };
}

serve({
  hello: async () => {
    const active = hasThreads ? wasm.getThreadsCount() : threads; // Without threads, prepare() throws Unavailable.
    if (active !== threads) throw new Error(`${active} of ${threads} threads started`);
    return {
      version: await peerVersion('@tensorflow/tfjs'),
      description: `${tf.getBackend()} backend, SIMD ${tf.env().get('WASM_HAS_SIMD_SUPPORT') ? 'on' : 'off'}`,
    };
  },
  prepare,
});
