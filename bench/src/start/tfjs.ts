/** The process of TensorFlow.js (WebAssembly backend) in `npm run bench:start`: `tfjs.js <unused> predict|train`. */
import { importPeer } from '#host';
import { numbers, PREDICT_SIZES, report, TRAIN_SIZES, task } from './task.js';

interface Tensor {
  dataSync(): Float32Array;
}
type Layer = object;
interface Tf {
  setBackend(name: string): Promise<boolean>;
  tensor(values: Float32Array, shape: number[]): Tensor;
  sequential(options: { layers: Layer[] }): {
    predict(x: Tensor): Tensor;
    compile(options: object): void;
    trainOnBatch(x: Tensor, y: Tensor): Promise<number>;
  };
  layers: { lstm(options: object): Layer; dense(options: object): Layer };
}

const tf = await importPeer<Tf>('@tensorflow/tfjs');
await importPeer('@tensorflow/tfjs-backend-wasm');
await tf.setBackend('wasm');
// The default recurrent initialiser is slow, and programs that load saved weights do not run it.
const options = { recurrentActivation: 'sigmoid', recurrentInitializer: 'zeros' };

if (task === 'predict') {
  const { I, H, T } = PREDICT_SIZES;
  const model = tf.sequential({
    layers: [tf.layers.lstm({ ...options, kernelInitializer: 'zeros', units: H, inputShape: [T, I] })],
  });
  report(model.predict(tf.tensor(numbers(T * I), [1, T, I])).dataSync()[0]);
} else {
  const { I, H, B, T, steps } = TRAIN_SIZES;
  const recurrent = tf.layers.lstm({ ...options, units: H, inputShape: [T, I] });
  const model = tf.sequential({ layers: [recurrent, tf.layers.dense({ units: 1 })] });
  model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  const x = tf.tensor(numbers(B * T * I), [B, T, I]);
  const y = tf.tensor(numbers(B), [B, 1]);
  let loss = 0;
  for (let step = 0; step < steps; step++) loss = await model.trainOnBatch(x, y);
  report(loss);
}
process.exit(0);
