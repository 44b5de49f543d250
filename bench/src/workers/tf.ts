/** Loads TensorFlow.js with its WebAssembly backend, and declares the types that the benchmark uses. */
import { importPeer, peerUrl, threads } from '#host';
import type { Row } from '../rows.js';

export interface TfTensor {
  dataSync(): Float32Array;
  dispose(): void;
}
/** A symbolic tensor of a functional model. */
export type TfSymbol = object;
export interface TfLayer {
  build(shape: number[]): void;
  call(inputs: TfTensor[], options: object): TfTensor[];
  setWeights(weights: TfTensor[]): void;
  apply(x: unknown, options?: object): unknown;
  dispose(): void;
}
export interface TfModel extends TfLayer {
  compile(options: { optimizer: TfOptimizer; loss: string }): void;
  apply(x: TfTensor[], options?: { training: boolean }): TfTensor;
  trainOnBatch(x: TfTensor[], y: TfTensor): Promise<number>;
}
export interface TfOptimizer {
  minimize(loss: () => TfTensor, returnCost: true): TfTensor;
}
export type LayerMaker = (options: object) => TfLayer;
export interface Tf {
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  env(): { get(flag: string): unknown };
  tensor(values: Float32Array | Int32Array, shape: number[], type?: 'float32' | 'int32'): TfTensor;
  zeros(shape: number[]): TfTensor;
  tidy<T>(work: () => T): T;
  keep(tensor: TfTensor): TfTensor;
  oneHot(indices: TfTensor, depth: number): TfTensor;
  sequential(options: { layers: TfLayer[] }): TfModel;
  input(options: { shape: number[] }): TfSymbol;
  model(options: { inputs: TfSymbol[]; outputs: TfSymbol }): TfModel;
  layers: Record<string, LayerMaker>;
  train: { adam(rate: number, beta1: number, beta2: number, epsilon: number): TfOptimizer };
  losses: Record<'meanSquaredError' | 'softmaxCrossEntropy', (y: TfTensor, prediction: TfTensor) => TfTensor>;
}

export const tf = await importPeer<Tf>('@tensorflow/tfjs');
const backend = '@tensorflow/tfjs-backend-wasm';
export const wasm = await importPeer<{
  setThreadsCount(count: number): void;
  getThreadsCount(): number;
  setWasmPaths(folder: string): void;
}>(backend);
const packageUrl = peerUrl(backend);
if (packageUrl !== null) {
  wasm.setWasmPaths(`${packageUrl}dist/`);
  // TensorFlow.js limits its threads to half of the cores, so a machine with two cores would run only one thread.
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 * threads });
}
wasm.setThreadsCount(threads);
if (!(await tf.setBackend('wasm')))
  throw new Error('The WebAssembly backend of TensorFlow.js did not start.');

/** The name of the recurrent layer of each cell. */
export const LAYERS = { rnn: 'simpleRNN', lstm: 'lstm', gru: 'gru' } as const;

export const recurrentOptions = ({ kind, H }: Row): object => ({
  units: H,
  recurrentInitializer: 'zeros', // The weights are set afterwards, and the default initialiser is slow.
  ...(kind === 'rnn' ? {} : { recurrentActivation: 'sigmoid' }),
});
