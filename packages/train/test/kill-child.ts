/**
 * The program that kill.test.ts kills: `node kill-child.js <folder> [plain|truncate] [step]`. It trains, and resumes from the
 * checkpoint in the folder if there is one. With `truncate`, the sequences have one target per step, and most checkpoints are
 * written in the middle of a batch. At the given step, the process sends SIGINT to itself.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensor } from '@unroll/core';
import { batchNormalization, dense, lstm, sequential } from '@unroll/nn';
import { earlyStopping, fit, reduceOnPlateau } from '@unroll/train';
import { csvLog, interruptSignal, tensorBoard } from '@unroll/train/node';
import { waves, weightsOf } from './small-model.js';

const folder = process.argv[2]!;
const isTruncated = process.argv[3] === 'truncate';
const interruptedAt = Number(process.argv[4]);
let steps = 0;
const network = sequential(
  [
    lstm({ units: 6, dropout: 0.1, recurrentDropout: 0.1, returnSequences: isTruncated }),
    batchNormalization(),
    dense({ units: 1 }),
  ],
  { seed: 3 },
);
const { x, y } = waves(96);
/** The next value of the wave at every step. */
const nextValues = tensor(waves(97).x.dataSync().slice(x.shape[1]), x.shape);
const history = await fit(network, {
  ...(isTruncated ? { truncate: { every: 2, length: 5 } } : {}),
  ...{
    x,
    y: isTruncated ? nextValues : y,
    loss: 'mse',
    optimizer: { name: 'adam', learningRate: 0.05 },
    epochs: 40,
  },
  ...{
    batchSize: 6,
    accumulate: 4,
    clip: { globalNorm: 1 },
    metrics: ['mae'],
    validationSplit: 0.25,
    seed: 5,
  },
  ...{ checkpointDir: folder, checkpointSteps: isTruncated ? 5 : 2, resume: true, signal: interruptSignal() },
  callbacks: [
    earlyStopping({ patience: 3, minDelta: 0.02 }),
    reduceOnPlateau({ patience: 1, factor: 0.8, minDelta: 0.02 }),
    csvLog(join(folder, 'log.csv')),
    tensorBoard(join(folder, 'board'), { everyUpdates: 2 }),
  ],
  onEvent: (event) => {
    if (event.type !== 'step') return;
    process.stdout.write('.');
    if (++steps === interruptedAt) process.kill(process.pid, 'SIGINT');
  },
});
if (history.reason !== 'aborted') {
  writeFileSync(join(folder, 'result.json'), JSON.stringify({ history, weights: weightsOf(network) }));
}
