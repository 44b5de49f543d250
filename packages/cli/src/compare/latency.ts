/** Measures the time that a saved model takes to predict from one example. */
import { join } from 'node:path';
import { TASKS } from '@unroll/tasks';
import { parseOptions } from '../shared/args.js';
import { loadTaskModel } from '../shared/predict-command.js';
import { TRAINABLE_TASKS } from '../train/command.js';
import { TRAINING_OPTIONS } from '../train/options.js';

const WARM_UP = 3;
const ROUNDS = 15;

/**
 * Returns the median time of a prediction in milliseconds; null if the task has no example to predict from.
 * @param taskArguments the arguments of the task
 * @param folder the folder of the training run
 */
export async function latencyOf(
  task: string,
  taskArguments: readonly string[],
  folder: string,
): Promise<number | null> {
  const model = await loadTaskModel(task === 'forecast' ? join(folder, 'model') : folder, TASKS);
  const request = task === 'forecast' ? {} : await exampleOf(task, taskArguments);
  if (request === undefined) return null;
  const times: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const start = performance.now();
    await model.predict(request);
    if (round >= WARM_UP) times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1];
}

/** Returns a request with one example of the training data. */
async function exampleOf(task: string, taskArguments: readonly string[]) {
  const trainable = TRAINABLE_TASKS[task];
  const job = await trainable.open(
    parseOptions(taskArguments, { ...TRAINING_OPTIONS, ...trainable.options }),
  );
  return job.example;
}
