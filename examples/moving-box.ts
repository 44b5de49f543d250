/**
 * Video: generated clips of a box that moves in one of four directions. The first model predicts the direction. The second
 * one describes the clip in a sentence; the program prints the attention weights of the frames for each word. `unroll train
 * classify --frames` and `unroll train describe` do the same with folders of images, GIF files and arrays.
 */
import { RandomStream } from 'unrolljs';
import { trainClassifier } from 'unrolljs/classify';
import { type Frame, makeTable, trainDescriber } from 'unrolljs/describe';
import { pipeline } from 'unrolljs/pipeline';

const random = new RandomStream(3, 'boxes');
const SIDE = 16;
const DIRECTIONS = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] } as const;
const NAMES = Object.keys(DIRECTIONS) as (keyof typeof DIRECTIONS)[];
const SIZES = { small: 3, large: 5 } as const;

/** Returns a clip of 6 frames. In a page, a frame may be the `ImageData` of a canvas. */
function clipOf(direction: keyof typeof DIRECTIONS, size: keyof typeof SIZES): Frame[] {
  const side = SIZES[size];
  const [dx, dy] = DIRECTIONS[direction];
  const room = SIDE - side - 5;
  const [x, y] = random.uniform(2);
  const start = (d: number, share: number): number => Math.floor(share * (room + 1)) + (d < 0 ? 5 : 0);
  const [left, top] = [start(dx, x), start(dy, y)];
  return Array.from({ length: 6 }, (_, t) => {
    const data = Uint8Array.from(random.uniform(SIDE * SIDE), (value) => 60 * value);
    for (let row = 0; row < side; row++) {
      const offset = (top + dy * t + row) * SIDE + left + dx * t;
      data.fill(220, offset, offset + side);
    }
    return { width: SIDE, height: SIDE, data };
  });
}

/** Returns a table of clips. (For the commands, a table has the names of folders or files instead.) */
function clips(count: number) {
  const rows = Array.from(random.uniform(count), (share, n) => {
    const direction = NAMES[n % 4];
    const size = share < 0.5 ? 'small' : 'large';
    return { direction, text: `a ${size} box moves ${direction}`, clip: clipOf(direction, size) };
  });
  return makeTable({
    source: 'boxes',
    names: ['clip', 'direction', 'text'],
    cells: [rows.map(() => undefined), rows.map(({ direction }) => direction), rows.map(({ text }) => text)],
    nested: new Map([['clip', rows.map(({ clip }) => clip)]]),
  });
}

const table = clips(200);
const settings = { frames: 'clip', units: 32, learningRate: 0.005, augment: false };
const classifier = await trainClassifier(table, { ...settings, label: 'direction', epochs: 16 });
const { metrics } = await classifier.model.evaluate({ rows: clips(100) });
console.log(`accuracy on 100 new clips: ${(100 * (metrics?.accuracy ?? 0)).toFixed(1)} %`);
const classify = await pipeline('classify', await classifier.model.toFiles());
console.log(`the box moves ${(await classify(clipOf('up', 'large')))[0].label}`);

const { model } = await trainDescriber(table, {
  ...settings,
  text: 'text',
  units: 64,
  embedding: 64,
  epochs: 16,
});
const scores = await model.evaluate({ rows: clips(100) });
console.log(`sentences exactly right: ${(100 * (scores.metrics?.exact_match ?? 0)).toFixed(1)} %`);
const describe = await pipeline('describe', await model.toFiles());
const [{ generatedText, alignment }] = await describe(clipOf('left', 'small'), { alignments: true });
console.log(generatedText);
for (const [n, token] of (alignment?.tokens ?? []).entries())
  console.log(`  ${token.padEnd(6)} ${alignment?.weights[n].map((weight) => weight.toFixed(2)).join(' ')}`);
