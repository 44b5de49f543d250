/**
 * Two tests of long memory (Hochreiter & Schmidhuber 1997, Arjovsky et al. 2016), which gated cells pass and a plain RNN fails.
 *
 * The adding problem: a sequence of random numbers from 0 to 1, of which two are marked, one in each half. The target is the
 * sum of these two. A model that ignores the sequence predicts 1, with a mean squared error of 1/6.
 *
 * The copy task: the input has ten random symbols (of an alphabet of eight), a delay and a signal. After the signal, the model
 * must output the ten symbols. A model without memory guesses, with a cross-entropy of ln 8 = 2.08 nats per symbol.
 *
 * The biases of the gates are initialised for the number of steps of the task (chrono initialisation, Tallec & Ollivier 2018).
 * A run ends when the task is solved, or after a number of updates that is the same for all cells.
 *
 *     node long-memory.js [adding|copy] [--steps 300] [--updates 5000] [--units 64] [--cells lstm,gru,rnn] [--seeds 0,1,2]
 *
 * By default, the adding problem has 100 steps and the copy task a delay of 20 steps. The plain RNN is trained with three
 * seeds, the other cells with one.
 */
import { parseArgs } from 'node:util';
import {
  chronoInitializer,
  dense,
  embedding,
  gru,
  lstm,
  RandomStream,
  type RecurrentOptions,
  type Sequential,
  sequential,
  simpleRNN,
  type Tensor,
  tensor,
  train,
} from 'unrolljs';

interface Task {
  /** Steps that the memory must bridge. */
  steps: number;
  updates: number;
  units: number;
  learningRate: number;
  loss: 'mse' | { name: 'sparseCategoricalCrossentropy'; fromLogits: true };
  /** The loss of a model without memory. */
  baseline: number;
  /** The loss below which the task is solved. */
  solvedLoss: number;
  network(cell: 'lstm' | 'gru' | 'rnn', seed: number): Sequential;
  batch(random: RandomStream): { x: Tensor; y: Tensor; sampleWeights?: Tensor };
}

const BATCH = 32;

/** Returns a recurrent layer. The gates of an LSTM or GRU are initialised to remember for up to `steps` steps. */
function recurrent(cell: string, units: number, steps: number, options: RecurrentOptions) {
  // With orthogonal recurrent weights, the default, a plain RNN would solve the copy task over 20 steps.
  if (cell === 'rnn') return simpleRNN({ units, recurrentInitializer: 'glorotUniform', ...options });
  const kind = cell === 'gru' ? 'gru' : 'lstm';
  const biasInitializer = chronoInitializer({ maxSteps: steps, cell: kind });
  return (kind === 'gru' ? gru : lstm)({ units, biasInitializer, ...options });
}

function adding({ steps = 100, updates = 1500, units = 32 }): Task {
  return {
    ...{ steps, updates, units, learningRate: 0.005, loss: 'mse', baseline: 1 / 6, solvedLoss: 0.01 },
    network: (cell, seed) => sequential([recurrent(cell, units, steps, {}), dense({ units: 1 })], { seed }),
    batch(random) {
      const numbers = random.uniform(BATCH * steps);
      const marks = random.uniform(2 * BATCH);
      const x = new Float32Array(2 * BATCH * steps);
      const y = new Float32Array(BATCH);
      for (let t = 0; t < BATCH * steps; t++) x[2 * t] = numbers[t];
      for (let n = 0; n < 2 * BATCH; n++) {
        // The first half of a sequence has one mark, and the second half the other.
        const t = Math.floor((marks[n] + (n % 2)) * Math.floor(steps / 2));
        const step = Math.floor(n / 2) * steps + t;
        x[2 * step + 1] = 1;
        y[Math.floor(n / 2)] += numbers[step];
      }
      return { x: tensor(x, [BATCH, steps, 2]), y: tensor(y, [BATCH, 1]) };
    },
  };
}

const SYMBOLS = 8;
const LENGTH = 10;
const [BLANK, SIGNAL] = [SYMBOLS, SYMBOLS + 1];

function copy({ steps: delay = 20, updates = 3000, units = 64 }): Task {
  const steps = delay + 2 * LENGTH;
  return {
    ...{ steps: delay, updates, units, learningRate: 0.02 },
    loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    ...{ baseline: Math.log(SYMBOLS), solvedLoss: 0.2 },
    network: (cell, seed) =>
      sequential(
        [
          embedding({ inputDim: SYMBOLS + 2, outputDim: SYMBOLS + 2 }),
          recurrent(cell, units, delay + LENGTH, { returnSequences: true }),
          dense({ units: SYMBOLS }),
        ],
        { seed },
      ),
    batch(random) {
      const symbols = random.uniform(BATCH * LENGTH, 0, SYMBOLS).map(Math.floor);
      const x = new Float32Array(BATCH * steps).fill(BLANK);
      const y = new Float32Array(BATCH * steps);
      const weights = new Float32Array(BATCH * steps);
      for (let b = 0; b < BATCH; b++) {
        const [start, end] = [b * steps, (b + 1) * steps];
        const sequence = symbols.subarray(b * LENGTH, (b + 1) * LENGTH);
        x.set(sequence, start);
        x[end - LENGTH - 1] = SIGNAL;
        y.set(sequence, end - LENGTH);
        weights.fill(steps / LENGTH, end - LENGTH, end); // Only the repeated symbols count.
      }
      const shaped = (values: Float32Array): Tensor => tensor(values, [BATCH, steps]);
      return { x: shaped(x), y: shaped(y), sampleWeights: shaped(weights) };
    },
  };
}

/**
 * Trains until the mean loss of the last 20 updates is below the limit for a solved task.
 * @returns this mean, and the number of updates (null: not solved)
 */
async function run(task: Task, cell: 'lstm' | 'gru' | 'rnn', seed: number) {
  const random = new RandomStream(seed, 'long memory');
  const batches = function* () {
    for (let n = 0; n < task.updates; n++) yield task.batch(random.child(n));
  };
  const { loss, learningRate } = task;
  const optimizer = { name: 'adam', learningRate } as const;
  const latest: number[] = [];
  const mean = (): number => latest.reduce((sum, loss) => sum + loss, 0) / latest.length;
  const network = task.network(cell, seed);
  for await (const event of train(network, { batches, loss, optimizer, clip: { globalNorm: 1 } })) {
    if (event.type !== 'step') continue;
    latest.push(event.loss);
    if (latest.length > 20) latest.shift();
    if (latest.length === 20 && mean() < task.solvedLoss) return { loss: mean(), updates: event.step };
  }
  return { loss: mean(), updates: null };
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ steps: { type: 'string' }, updates: { type: 'string' }, units: { type: 'string' } },
    seeds: { type: 'string' },
    cells: { type: 'string', default: 'lstm,gru,rnn' },
  },
});
const numberOf = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const given = {
  steps: numberOf(values.steps),
  updates: numberOf(values.updates),
  units: numberOf(values.units),
};
for (const [name, taskOf] of Object.entries({ adding, copy })) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const task = taskOf(given);
  for (const cell of values.cells.split(',') as ('lstm' | 'gru' | 'rnn')[]) {
    const seeds = values.seeds?.split(',').map(Number) ?? (cell === 'rnn' ? [0, 1, 2] : [0]);
    for (const seed of seeds) {
      const { loss, updates } = await run(task, cell, seed);
      const end = updates === null ? `not solved in ${task.updates} updates` : `solved in ${updates} updates`;
      const losses = `loss ${loss.toFixed(3)} (without memory ${task.baseline.toFixed(3)})`;
      console.log(`${name} over ${task.steps} steps, ${cell}, seed ${seed}: ${end}, ${losses}`);
    }
  }
}
