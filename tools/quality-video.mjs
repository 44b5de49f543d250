// The evaluations of tasks on video for tools/quality.mjs: trains with the defaults of `unroll train classify` and `unroll train
// describe` on moving digits. Two digits of mnist-10k move in one of eight ways over 20 frames of 64 × 64 pixels. No image of
// a digit occurs in clips of two of the training, validation and test sets, and the test clips are scored once per run.
import { join } from 'node:path';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import { trainClassifier, trainDescriber } from '@unroll/tasks';
import { bytesOf } from './quality-files.mjs';

const IMAGE = 28;
const FRAMES = 20;
const SIDE = 64;
/** Range of both coordinates of the centres of the digits, in pixels. */
const [LEAST, MOST] = [11, 53];
/** Smallest distance between the centres of the two digits in pixels, so that they do not overlap. */
const GAP = 22;
/** Range of the distance that each digit moves, in pixels; for a circular motion, range of the angle in radians. */
const DISTANCE = [8, 16];
const TURN = [Math.PI / 3, (2 * Math.PI) / 3];

export const MOTIONS = ['left', 'right', 'up', 'down', 'together', 'apart', 'clockwise', 'counterclockwise'];
const WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
/** For each split: which images of MNIST's test set (t10k) its clips show, and the number of clips. */
export const SPLITS = {
  train: { from: 0, to: 7000, count: 4000 },
  valid: { from: 7000, to: 8000, count: 500 },
  test: { from: 8000, to: 10_000, count: 1000 },
};

/**
 * Chooses random paths of the two digits. Returns a function that maps a time from 0 to 1 to both centres, [[x, y], [x, y]].
 * The first digit starts to the left of the second.
 * @param uniform returns a random number from 0 to 1
 */
function pathsOf(motion, uniform) {
  const between = (from, to) => from + (to - from) * uniform();
  if (motion.endsWith('clockwise')) {
    const radius = between(GAP / 2 + 1, (MOST - LEAST) / 2);
    const [x, y] = [between(LEAST + radius, MOST - radius), between(LEAST + radius, MOST - radius)];
    const start = Math.PI + between(-0.5, 0.5);
    const turn = between(...TURN) * (motion === 'clockwise' ? 1 : -1); // y grows downwards
    const at = (angle) => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    return (time) => [at(start + turn * time), at(start + turn * time + Math.PI)];
  }
  const distance = between(...DISTANCE);
  if (motion === 'together' || motion === 'apart') {
    const wide = between(GAP + distance, MOST - LEAST);
    const x = between(LEAST, MOST - wide);
    const [y1, y2] = [between(LEAST, MOST), between(LEAST, MOST)];
    const at = (time) => [[x + (distance / 2) * time, y1], [x + wide - (distance / 2) * time, y2]]; // biome-ignore format: one line
    return (time) => at(motion === 'together' ? time : 1 - time);
  }
  const [dx, dy] = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[motion];
  const range = (d) => [LEAST + (d < 0 ? distance : 0), MOST - (d > 0 ? distance : 0)];
  const [[left, right], [top, bottom]] = [range(dx), range(dy)];
  const x1 = between(left, right - GAP);
  const x2 = between(x1 + GAP, right);
  const [y1, y2] = [between(top, bottom), between(top, bottom)];
  const moved = (x, y, time) => [x + dx * distance * time, y + dy * distance * time];
  return (time) => [moved(x1, y1, time), moved(x2, y2, time)];
}

/** Draws an image into a frame, with its centre at [x, y]. The centre may lie between pixels: the image is interpolated. */
function draw(frame, pixels, [x, y]) {
  const [left, top] = [x - (IMAGE - 1) / 2, y - (IMAGE - 1) / 2];
  const [x0, y0] = [Math.floor(left), Math.floor(top)];
  const [fx, fy] = [left - x0, top - y0];
  const at = (r, c) => (r < 0 || c < 0 || r >= IMAGE || c >= IMAGE ? 0 : pixels[r * IMAGE + c]);
  for (let r = 0; r <= IMAGE; r++)
    for (let c = 0; c <= IMAGE; c++) {
      const [row, column] = [y0 + r, x0 + c];
      if (row < 0 || column < 0 || row >= SIDE || column >= SIDE) continue;
      const value =
        (1 - fy) * ((1 - fx) * at(r, c) + fx * at(r, c - 1)) +
        fy * ((1 - fx) * at(r - 1, c) + fx * at(r - 1, c - 1));
      frame[row * SIDE + column] = Math.max(frame[row * SIDE + column], Math.round(value));
    }
}

/** Returns the clips of a split: { shape, values, digits, motion, labels, text }. */
export function movingDigits(folder, split, seed = 0) {
  const images = bytesOf(join(folder, 't10k-images-idx3-ubyte.gz')).subarray(16); // after the IDX header
  const digits = bytesOf(join(folder, 't10k-labels-idx1-ubyte.gz')).subarray(8);
  const { from, to, count } = SPLITS[split];
  const random = new RandomStream(seed, 'moving digits', split);
  const next = () => random.uniform(1)[0];
  return Array.from({ length: count }, (_, n) => {
    const motion = MOTIONS[n % MOTIONS.length];
    const chosen = [next(), next()].map((u) => from + Math.floor(u * (to - from)));
    const path = pathsOf(motion, next);
    const values = new Uint8Array(FRAMES * SIDE * SIDE);
    for (let t = 0; t < FRAMES; t++) {
      const frame = values.subarray(t * SIDE * SIDE, (t + 1) * SIDE * SIDE);
      for (const [k, centre] of path(t / (FRAMES - 1)).entries())
        draw(frame, images.subarray(chosen[k] * IMAGE * IMAGE, (chosen[k] + 1) * IMAGE * IMAGE), centre);
    }
    const names = chosen.map((i) => digits[i]);
    const [first, second] = names.map((digit) => WORDS[digit]);
    const verb = motion.endsWith('clockwise') ? 'circle' : 'move';
    const text = `a ${first} and a ${second} ${verb} ${motion}`;
    const labels = [...new Set(names)].sort().concat(motion).join(';');
    return { shape: [FRAMES, SIDE, SIDE], values, digits: names, motion, labels, text };
  });
}

const tableOf = (folder, split, column) => {
  const clips = movingDigits(folder, split);
  return makeTable({
    ...{ source: split, names: ['clip', column] },
    cells: [clips.map(() => undefined), clips.map((clip) => clip[column])],
    nested: new Map([['clip', clips]]),
  });
};

/** Number of frames of a clip that the network reads: enough to see the motion. */
const FRAMES_PER_CLIP = 6;
const EPOCHS = { classify: 36, describe: 12 };
/** Number of classifiers whose predictions are averaged. */
const NETWORKS = 3;
const COMMON = { frames: 'clip', framesPerClip: FRAMES_PER_CLIP };

/** Measures the fraction of clips for which exactly the correct labels are predicted: the motion and both digits. */
async function classify({ folder, seed, onEvent }) {
  const run = await trainClassifier(tableOf(folder, 'train', 'labels'), {
    ...{ ...COMMON, networks: NETWORKS, epochs: EPOCHS.classify },
    ...{ label: 'labels', multiLabel: ';', seed, onEvent },
    validation: tableOf(folder, 'valid', 'labels'),
  });
  const { metrics } = await run.model.evaluate({ rows: tableOf(folder, 'test', 'labels') });
  const epochs = run.trainings.map(({ bestEpoch }) => bestEpoch);
  return { value: metrics.exact_match, validation: run.scores.accuracy, epochs };
}

/** Measures the fraction of clips whose description is exactly correct. */
async function describe({ folder, seed, onEvent }) {
  const run = await trainDescriber(tableOf(folder, 'train', 'text'), {
    ...{ ...COMMON, epochs: EPOCHS.describe, text: 'text', seed, onEvent },
    validation: tableOf(folder, 'valid', 'text'),
  });
  const { metrics } = await run.model.evaluate({ rows: tableOf(folder, 'test', 'text') });
  return { value: metrics.exact_match, validation: run.scores.exactMatch, epochs: [run.training.bestEpoch] };
}

const DIGITS = { folder: 'mnist-10k', seeds: [0], format: 'percent' };
const flagsOf = (task) => `--frames-per-clip ${FRAMES_PER_CLIP} --epochs ${EPOCHS[task]}`;
const SPLIT =
  'images 1 to 7,000 of t10k are in 4,000 training clips, 7,001 to 8,000 in 500 validation clips, 8,001 to 10,000 in 1,000 test clips';

/** The evaluations. quality-results.mjs describes the fields. */
export const VIDEOS = [
  {
    ...{ set: 'moving-digits', title: 'moving digits, motion and both digits', ...DIGITS },
    ...{ measure: 'all labels correct', must: 0.97, want: 0.99, split: SPLIT, evaluate: classify },
    flags: `--frames clip --label labels --multi-label ";" ${flagsOf('classify')} --networks ${NETWORKS}`,
  },
  {
    ...{ set: 'moving-digits-describe', title: 'moving digits, one sentence per clip', ...DIGITS },
    ...{ measure: 'sentence exactly correct', must: 0.85, want: 0.95, split: SPLIT, evaluate: describe },
    flags: `--frames clip --text text ${flagsOf('describe')}`,
  },
];
