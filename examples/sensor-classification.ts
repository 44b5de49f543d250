/**
 * Classification of sensor data: generated recordings of an accelerometer with three axes, in which people rest, walk or run.
 * Recordings differ in length, and some values are missing. The trained model is then run by `pipeline`, as in a page.
 */
import { RandomStream } from 'unrolljs';
import { parseJsonLines, trainClassifier } from 'unrolljs/classify';
import { pipeline } from 'unrolljs/pipeline';

const random = new RandomStream(5, 'recordings');

/** Frequency of the movement in Hz, and its amplitude, for each activity. */
const ACTIVITIES = {
  resting: { frequency: 0.3, amplitude: 0.2 },
  walking: { frequency: 1.8, amplitude: 1 },
  running: { frequency: 2.8, amplitude: 1.6 },
};
type Activity = keyof typeof ACTIVITIES;
const NAMES = Object.keys(ACTIVITIES) as Activity[];

/** Returns a recording [T][3] with 20 samples per second. null: the sensor missed the sample. */
function recording(activity: Activity): (number | null)[][] {
  const { frequency, amplitude } = ACTIVITIES[activity];
  const [length, phase, speed, ...angles] = random.uniform(6);
  const steps = 40 + Math.floor(40 * length);
  const noise = random.normal(3 * steps, 0, 0.3);
  const lost = random.uniform(3 * steps);
  return Array.from({ length: steps }, (_, t) =>
    angles.map((angle, axis) => {
      const turn = 2 * Math.PI * (phase + (frequency * (0.9 + 0.2 * speed) * t) / 20);
      const value = amplitude * Math.cos(Math.PI * angle) * Math.sin(turn) + noise[3 * t + axis];
      return lost[3 * t + axis] < 0.02 ? null : Number(value.toFixed(3));
    }),
  );
}

/** Returns recordings in the format of a file for `unroll train classify --sequence samples --label activity`. */
const jsonLines = (count: number): string =>
  Array.from({ length: count }, (_, i) => NAMES[i % NAMES.length])
    .map((activity) => JSON.stringify({ samples: recording(activity), activity }))
    .join('\n');

const table = parseJsonLines(jsonLines(240), { source: 'recordings.jsonl' });
const { model, plan } = await trainClassifier(table, {
  ...{ sequence: 'samples', label: 'activity' },
  ...{ units: 16, networks: 1, epochs: 40 },
});
console.log(`missing values: ${(100 * plan.missing).toFixed(1)} %`);

const test = parseJsonLines(jsonLines(150), { source: 'test.jsonl' });
const { metrics } = await model.evaluate({ rows: test });
console.log(`accuracy on 150 new recordings: ${(100 * (metrics?.accuracy ?? 0)).toFixed(1)} %`);

const classify = await pipeline('classify', await model.toFiles());
const [{ label, score }] = await classify(recording('running'));
console.log(`a recording of running is classified as ${label} (${score.toFixed(2)})`);
