// Trains a small model and writes TensorBoard and CSV logs, for comparison with TensorBoard's reader. The first run is
// aborted, and a second run resumes it. Prints the events of both runs as JSON lines.
//
//   node tools/verify/write-event-files.mjs FOLDER
import { join } from 'node:path';
import { tensor } from '@unroll/core';
import { dense, lstm, sequential } from '@unroll/nn';
import { fit } from '@unroll/train';
import { csvLog, tensorBoard } from '@unroll/train/node';

const folder = process.argv[2];
const [count, steps] = [48, 6];
const x = tensor(
  Float32Array.from({ length: count * steps }, (_, i) => Math.sin(Math.floor(i / steps) + (i % steps) / 3)),
  [count, steps, 1],
);
const y = tensor(
  Float32Array.from({ length: count }, (_, i) => Math.sin(i + 2)),
  [count, 1],
);

const run = async (signal, resume) => {
  const events = [];
  await fit(sequential([lstm({ units: 4 }), dense({ units: 1 })]), {
    ...{
      x,
      y,
      loss: 'mse',
      optimizer: 'adam',
      metrics: ['mae'],
      epochs: 5,
      batchSize: 8,
      validationSplit: 0.25,
    },
    ...{ clip: { globalNorm: 0.1 }, checkpointDir: join(folder, 'checkpoints'), resume },
    callbacks: [
      tensorBoard(join(folder, 'logs'), { everyUpdates: 1 }),
      csvLog(join(folder, 'log.csv')),
      (event) => void events.push(event),
    ],
    ...(signal && { signal }),
    onEvent: (event) => {
      if (signal && event.type === 'step' && event.epoch === 3 && event.step === 2) abort.abort();
    },
  });
  return events;
};
const abort = new AbortController();
const first = await run(abort.signal, false);
const second = await run(null, true);
for (const event of [...first, ...second]) console.log(JSON.stringify(event));
