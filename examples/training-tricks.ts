/**
 * Four ways to improve the training of a recurrent network, each compared with training without it: gradient clipping,
 * dropout, batch normalisation and bidirectional layers. All data are synthetic; test data are separate from training data.
 */
import {
  batchNormalization,
  bidirectional,
  dense,
  dropout,
  gru,
  lstm,
  RandomStream,
  sequential,
  simpleRNN,
  UnrollError,
} from 'unrolljs';

/** Returns normally distributed numbers, [count][steps][1]. */
function sequences(seed: string, count: number, steps: number): number[][][] {
  const values = new RandomStream(1, seed).normal(count * steps);
  return Array.from({ length: count }, (_, n) =>
    Array.from({ length: steps }, (_, t) => [values[n * steps + t]]),
  );
}
const total = (sequence: number[][]): number => sequence.reduce((sum, [value]) => sum + value, 0);
const labelled = (name: string, value: number): string => `${name} ${value.toFixed(3)}`;

// 1. Clipping. A plain RNN with ReLU, which is unbounded, learns to add 60 numbers. Over so many steps gradients explode.
{
  const x = sequences('sums', 256, 60);
  const y = x.map((sequence) => [total(sequence) / 8]);
  const lossWith = async (clip?: { globalNorm: number }): Promise<string> => {
    const model = sequential([simpleRNN({ units: 16, activation: 'relu' }), dense({ units: 1 })]);
    model.compile({
      optimizer: { name: 'sgd', learningRate: 0.05 },
      loss: 'mse',
      ...(clip && { clip }),
    });
    try {
      const { loss } = await model.fit(x, y, { epochs: 20 });
      return labelled('loss', loss[loss.length - 1]);
    } catch (error) {
      if (error instanceof UnrollError && error.code === 'nan')
        return 'stopped: the loss is no longer finite';
      throw error;
    }
  };
  console.log(`clipping             without: ${await lossWith()}`);
  console.log(`                     with clip: { globalNorm: 0.5 }: ${await lossWith({ globalNorm: 0.5 })}`);
}

// 2. Dropout. With only 48 noisy examples, a large network memorises the noise unless inputs and states are dropped.
{
  const noise = new RandomStream(2, 'noise').normal(48, 0, 1);
  const x = sequences('few', 48, 12);
  const y = x.map((sequence, n) => [total(sequence) / 3 + noise[n]]);
  const unseen = sequences('unseen', 500, 12);
  const truth = unseen.map((sequence) => [total(sequence) / 3]);
  for (const rate of [0, 0.3]) {
    const model = sequential([
      lstm({ units: 64, dropout: rate, recurrentDropout: rate }),
      dropout({ rate }),
      dense({ units: 1 }),
    ]);
    model.compile({ optimizer: { name: 'adam', learningRate: 0.005 }, loss: 'mse' });
    const { loss } = await model.fit(x, y, { epochs: 150 });
    const { loss: onUnseen } = await model.evaluate(unseen, truth);
    const name = rate === 0 ? 'dropout              without:' : '                     with 0.3:';
    console.log(
      `${name} ${labelled('loss on the 48 examples', loss[loss.length - 1])}, ${labelled('on unseen', onUnseen)}`,
    );
  }
}

// 3. Batch normalisation. The states of a GRU with small weights differ little from each other. If they are normalised, training is faster.
{
  const x = sequences('signs', 512, 15);
  const y = x.map((sequence) => [total(sequence) > 0 ? 1 : 0]);
  const small = { className: 'randomNormal', config: { stddev: 0.02 } } as const;
  for (const normalised of [false, true]) {
    const model = sequential([
      gru({ units: 32, kernelInitializer: small, recurrentInitializer: small }),
      ...(normalised ? [batchNormalization()] : []),
      dense({ units: 1, activation: 'sigmoid' }),
    ]);
    model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
    const { loss } = await model.fit(x, y, { epochs: 5 });
    const name = normalised ? '                     with:' : 'batch normalisation  without:';
    console.log(`${name} ${labelled('loss after 5 epochs', loss[loss.length - 1])}`);
  }
}

// 4. Bidirectional layers. The task needs the future: is the next number larger? A forward layer has not read that number yet.
{
  const steps = 12;
  const rises = (sequence: number[][]): number[][] =>
    sequence.map(([value], t) => [t + 1 < steps && sequence[t + 1][0] > value ? 1 : 0]);
  const [x, unseen] = [sequences('both', 600, steps), sequences('both, unseen', 300, steps)];
  for (const both of [false, true]) {
    const layer = lstm({ units: 24, returnSequences: true });
    const model = sequential([
      both ? bidirectional(layer) : layer,
      dense({ units: 1, activation: 'sigmoid' }),
    ]);
    model.compile({
      optimizer: { name: 'adam', learningRate: 0.01 },
      loss: 'binaryCrossentropy',
      metrics: ['binaryAccuracy'],
    });
    await model.fit(x, x.map(rises), { epochs: 20 });
    const { binaryAccuracy } = await model.evaluate(unseen, unseen.map(rises));
    const name = both ? '                     both:' : 'directions           one:';
    console.log(`${name} ${(100 * binaryAccuracy).toFixed(1)} % of unseen steps correct`);
  }
}
