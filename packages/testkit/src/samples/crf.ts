/** Samples of the negative log-likelihood of conditional random fields. */
import { formatShape, RandomStream } from '@unroll/core';
import { fixedValues, integers, normal, type TensorGenerator } from '../draw.js';
import { ABSENT, type SampleFor, type Samples } from './sample.js';

const TAGS = 'tags are integers';
const MASK = 'masks are constant';

interface CrfCase {
  name: string;
  shape: readonly [B: number, T: number, K: number];
  /** Standard deviation of all scores. */
  deviation?: number;
  mask?: readonly number[];
  /** Default: random transitions. */
  transitions?: TensorGenerator;
  /** Default: random start scores. */
  start?: TensorGenerator;
  /** Default: random tags. */
  tags?: TensorGenerator;
}

function sample({ name, shape, deviation = 1, mask, ...given }: CrfCase): SampleFor<'crfLogLoss'> {
  const [B, T, K] = shape;
  return {
    name: `${formatShape(shape)} ${name}`,
    inputs: [
      normal(shape, deviation),
      given.transitions ?? normal([K, K], deviation),
      given.start ?? normal([K], deviation),
      normal([K], deviation),
      given.tags ?? integers(K, [B, T]),
      mask ? fixedValues([B, T], mask) : null,
    ],
    attrs: {},
    gradients: [true, true, true, true, TAGS, mask ? MASK : ABSENT],
  };
}

/** The score of a transition or a start that is not allowed. */
const FORBIDDEN = Number.NEGATIVE_INFINITY;
const random = new RandomStream(4, 'crf');

/** Transitions of the BIO tags of one entity type, in the order O, B, I: only B and I can be followed by I. */
const BIO = [
  [0.3, 0.5, FORBIDDEN],
  [-0.2, 0.1, 1],
  [0.2, -1, 0.4],
];
/** Returns transitions of K tags in a cycle: each tag can only be followed by the next tag. */
const cycle = (K: number): number[] =>
  Array.from({ length: K * K }, (_, i) => ((Math.floor(i / K) + 1) % K === i % K ? i / 10 : FORBIDDEN));

export const crfSamples = {
  crfLogLoss: [
    sample({ name: 'one path', shape: [1, 1, 1] }),
    sample({ name: 'one step', shape: [3, 1, 4] }),
    sample({ name: 'plain', shape: [3, 4, 3] }),
    sample({ name: 'many tags', shape: [2, 5, 20] }),
    sample({ name: 'more tags than a vector', shape: [2, 3, 33] }),
    // The kernels split a batch into parts for threads.
    sample({ name: 'more sequences than parts', shape: [37, 3, 2] }),
    sample({ name: 'no sequence', shape: [0, 3, 2] }),
    sample({ name: 'no step', shape: [2, 0, 3] }),
    sample({
      name: 'masked',
      shape: [5, 4, 3],
      // biome-ignore format: one sequence a line
      mask: [
        1, 1, 1, 1,
        1, 1, 0, 0,
        0, 0, 1, 1,
        1, 0, 0, 1,
        0, 0, 0, 0,
      ],
    }),
    sample({
      name: 'forbidden transitions',
      shape: [2, 5, 3],
      transitions: fixedValues([3, 3], BIO.flat()),
      start: fixedValues([3], [0.1, -0.2, FORBIDDEN]),
      tags: fixedValues([2, 5], [0, 1, 2, 2, 0, 1, 1, 2, 0, 0]),
    }),
    sample({
      name: 'a cycle',
      shape: [2, 7, 5],
      transitions: fixedValues([5, 5], cycle(5)),
      start: fixedValues([5], [0, FORBIDDEN, 1, FORBIDDEN, FORBIDDEN]),
      tags: fixedValues([2, 7], [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3]),
    }),
    sample({
      name: 'no transition allowed',
      shape: [3, 1, 2],
      transitions: fixedValues([2, 2], [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN]),
    }),
    // Some tags have a probability of 1e-300 or less in one step, but can be the most probable ones in the next step.
    sample({ name: 'far apart', shape: [3, 6, 4], deviation: 400 }),
    sample({
      name: 'an unlikely transition that is necessary',
      shape: [2, 6, 3],
      transitions: fixedValues([3, 3], [0, -2000, FORBIDDEN, FORBIDDEN, 0, -700, FORBIDDEN, FORBIDDEN, 0]),
      start: fixedValues([3], [0, FORBIDDEN, FORBIDDEN]),
      tags: fixedValues([2, 6], [0, 0, 1, 1, 2, 2, 0, 0, 0, 0, 0, 1]),
    }),
    sample({
      name: 'a soft transition of -200',
      shape: [2, 6, 3],
      transitions: fixedValues(
        [3, 3],
        random.normal(9).map((x, i) => (i === 1 || i === 5 ? -200 : x)),
      ),
    }),
  ],
} satisfies Partial<Samples>;
