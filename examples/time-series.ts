/**
 * Forecasting with an LSTM as in most tutorials: the input is a window of a series, and the output is the next value.
 * The series is synthetic: two sines plus noise. The last fifth of the windows is the test set.
 */
import { dense, lstm, RandomStream, sequential } from 'unrolljs';

const LENGTH = 1200;
const WINDOW = 30;
const noise = new RandomStream(7, 'noise').normal(LENGTH, 0, 0.05);
const series = Array.from({ length: LENGTH }, (_, t) => Math.sin(t / 6) + 0.5 * Math.sin(t / 17) + noise[t]);

const x: number[][][] = [];
const y: number[][] = [];
for (let t = 0; t + WINDOW < LENGTH; t++) {
  x.push(series.slice(t, t + WINDOW).map((value) => [value]));
  y.push([series[t + WINDOW]]);
}
const split = Math.floor(x.length * 0.8);

const model = sequential([lstm({ units: 50, activation: 'relu' }), dense({ units: 1 })]);
model.compile({ optimizer: 'adam', loss: 'mse' });
await model.fit(x.slice(0, split), y.slice(0, split), { epochs: 30, batchSize: 32 });

const predicted = await model.predictArray(x.slice(split));
const rmse = (errors: number[]): number =>
  Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
const truth = y.slice(split).map(([value]) => value);
const learned = rmse(truth.map((value, i) => predicted[i][0] - value));
const naive = rmse(truth.map((value, i) => x[split + i][WINDOW - 1][0] - value));
console.log(
  `RMSE on ${truth.length} unseen steps: ${learned.toFixed(3)} (last value: ${naive.toFixed(3)}, noise alone: 0.050)`,
);
