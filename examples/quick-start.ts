import { dense, lstm, sequential } from 'unrolljs';

const wave = (t: number) => Math.sin(t / 5) + 0.3 * Math.sin(t / 2);
const window = (t: number) => Array.from({ length: 24 }, (_, k) => [wave(t + k)]);
const starts = Array.from({ length: 400 }, (_, t) => t);

const model = sequential([lstm({ units: 32 }), dense({ units: 1 })]);
model.compile({ optimizer: { name: 'adam', learningRate: 0.01 }, loss: 'mse' });
const { loss } = await model.fit(
  starts.map(window),
  starts.map((t) => [wave(t + 24)]),
  { epochs: 30 },
);
console.log(`loss ${loss[0]?.toFixed(3)} in epoch 1, ${loss.at(-1)?.toFixed(5)} in epoch 30`);

const forecast = await model.predictArray([window(1000)]);
console.log(`forecast ${forecast[0]?.[0]?.toFixed(2)}, actual ${wave(1024).toFixed(2)}`);
