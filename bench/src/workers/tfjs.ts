/**
 * The process of TensorFlow.js with its WebAssembly backend (SIMD; in Node the library switches its threads
 * off itself). Its layers are what its users train recurrent networks with. Its GRU knows the reset before
 * the product only.
 */
import type { RowData } from '../data.js';
import { type LayerSpec, type Mode, outputWidth, type Row } from '../rows.js';
import { importPeer, type Prepared, peerVersion, serve, threads, Unavailable, type Work } from './serve.js';

interface TfTensor {
  dataSync(): Float32Array;
  dispose(): void;
}
interface TfLayer {
  build(shape: number[]): void;
  call(inputs: TfTensor[], options: object): TfTensor[];
  setWeights(weights: TfTensor[]): void;
  dispose(): void;
}
interface TfModel extends TfLayer {
  compile(options: { optimizer: TfOptimizer; loss: string }): void;
  apply(x: TfTensor, options?: { training: boolean }): TfTensor;
  trainOnBatch(x: TfTensor, y: TfTensor): Promise<number>;
}
interface TfOptimizer {
  minimize(loss: () => TfTensor, returnCost: true): TfTensor;
}
type LayerMaker = (options: object) => TfLayer;
interface Tf {
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  env(): { get(flag: string): unknown };
  tensor(values: Float32Array, shape: number[]): TfTensor;
  zeros(shape: number[]): TfTensor;
  tidy<T>(work: () => T): T;
  keep(tensor: TfTensor): TfTensor;
  sequential(options: { layers: TfLayer[] }): TfModel;
  layers: Record<string, LayerMaker>;
  train: { adam(rate: number, beta1: number, beta2: number, epsilon: number): TfOptimizer };
  losses: { meanSquaredError(y: TfTensor, prediction: TfTensor): TfTensor };
}

const tf = await importPeer<Tf>('@tensorflow/tfjs');
const wasm = await importPeer<{ setThreadsCount(count: number): void }>('@tensorflow/tfjs-backend-wasm');
wasm.setThreadsCount(threads);
await tf.setBackend('wasm');

const LAYERS = { rnn: 'simpleRNN', lstm: 'lstm', gru: 'gru' } as const;

const optionsOf = ({ kind, H }: Row, layer: LayerSpec): object => ({
  units: H,
  recurrentInitializer: 'zeros', // set right after; its own default is slow to make
  returnSequences: layer.sequences,
  ...(kind === 'rnn' ? {} : { recurrentActivation: 'sigmoid' }),
});

function weightsOf(row: Row, { weights }: RowData): TfTensor[] {
  return weights.map(({ name, shape, values }) => {
    const single = row.kind === 'gru' && name.endsWith('/b'); // it has the input's row only
    const width = shape.at(-1)!;
    return single ? tf.tensor(values.slice(0, width), [width]) : tf.tensor(values, shape);
  });
}

function buildModel(row: Row, data: RowData): TfModel {
  const layers = row.layers.map((layer, i) => {
    const inputShape = i === 0 ? { inputShape: [row.T, row.I] } : {};
    const options = optionsOf(row, layer);
    if (!layer.bidirectional) return tf.layers[LAYERS[row.kind]]!({ ...options, ...inputShape });
    const inner = tf.layers[LAYERS[row.kind]]!(options);
    return tf.layers.bidirectional!({ layer: inner, mergeMode: 'concat', ...inputShape });
  });
  const model = tf.sequential({ layers });
  const weights = weightsOf(row, data);
  model.setWeights(weights);
  for (const weight of weights) weight.dispose();
  return model;
}

function prepareStream(row: Row, data: RowData): Prepared {
  const { I, H } = row;
  const cell = tf.layers[`${LAYERS[row.kind]}Cell`]!(optionsOf(row, row.layers[0]!));
  cell.build([1, I]);
  const weights = weightsOf(row, data);
  cell.setWeights(weights);
  const steps = Array.from({ length: data.x.shape[1]! }, (_, t) =>
    tf.tensor(data.x.values.slice(t * I, (t + 1) * I), [1, I]),
  );
  const zeroStates = (): TfTensor[] =>
    Array.from({ length: row.kind === 'lstm' ? 2 : 1 }, () => tf.zeros([1, H]));
  let states = zeroStates();
  let at = 0;
  const work = (): Float32Array =>
    tf.tidy(() => {
      const [y, ...next] = cell.call([steps[at++ % steps.length]!, ...states], {});
      for (const state of states) state.dispose();
      states = next.map((state) => tf.keep(state));
      return y!.dataSync();
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

async function prepare(row: Row, mode: Mode, data: RowData): Promise<Prepared> {
  if (threads > 1 && tf.env().get('WASM_HAS_MULTITHREAD_SUPPORT') !== true) {
    throw new Unavailable('one thread only in Node');
  }
  const variant = row.kind === 'gru' ? 'reset-before' : 'standard';
  if (mode === 'stream') return { ...prepareStream(row, data), variant };
  const model = buildModel(row, data);
  const x = tf.tensor(data.x.values, data.x.shape);
  const y = tf.tensor(data.y.values, [row.B, outputWidth(row)]);
  const drop = (): void => {
    x.dispose();
    y.dispose();
    model.dispose();
  };
  if (mode === 'infer') {
    const work = (): Float32Array => tf.tidy(() => model.apply(x).dataSync());
    return { variant, work, outputs: work, drop };
  }
  const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const loss = (): TfTensor => tf.losses.meanSquaredError(y, model.apply(x, { training: true }));
  const minimize: Work = () => tf.tidy(() => optimizer.minimize(loss, true).dataSync());
  const step = (): Promise<number> => model.trainOnBatch(x, y);
  return { variant, work: step, others: { 'optimizer.minimize': minimize }, step, drop };
}

serve({
  hello: () => ({
    version: peerVersion('@tensorflow/tfjs'),
    description: `${tf.getBackend()} backend, SIMD ${tf.env().get('WASM_HAS_SIMD_SUPPORT') ? 'on' : 'off'}`,
  }),
  prepare,
});
