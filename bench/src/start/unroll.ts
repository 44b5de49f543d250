/**
 * The child process that runs Unroll in `npm run bench:start`: `unroll.js <artifact> predict|train`. Each task imports only the entry
 * point that it needs.
 */
import { numbers, PREDICT_SIZES, report, TRAIN_SIZES, task } from './task.js';

if (task === 'predict') {
  const { load, tensor } = await import('unrolljs/infer');
  const { I, T } = PREDICT_SIZES;
  const model = await load(process.argv[2]);
  report((await model.predict(tensor(numbers(T * I), [1, T, I]))).dataSync()[0]);
} else {
  const { dense, lstm, sequential, tensor } = await import('unrolljs');
  const { I, H, B, T, steps } = TRAIN_SIZES;
  const model = sequential([lstm({ units: H }), dense({ units: 1 })]);
  model.compile({ optimizer: 'adam', loss: 'mse' });
  const x = tensor(numbers(B * T * I), [B, T, I]);
  const { loss } = await model.fit(x, tensor(numbers(B), [B, 1]), {
    batchSize: B,
    epochs: steps,
    verbose: 0,
  });
  report(loss[loss.length - 1]);
}
process.exit(0);
