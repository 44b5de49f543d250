/**
 * Sound recognition: generated recordings of a telephone keypad. The first model distinguishes digits from symbols; the second
 * one transcribes several keys while the sound arrives. `unroll train classify` and `unroll train transcribe` do the same with
 * WAV files.
 */
import { RandomStream } from 'unrolljs';
import { mono, readWav, writeWav } from 'unrolljs/audio';
import { trainClassifier } from 'unrolljs/classify';
import { pipeline } from 'unrolljs/pipeline';
import { makeTable, trainTranscriber } from 'unrolljs/transcribe';

const random = new RandomStream(7, 'calls');
const RATE = 8000;
/** The tones of the rows and columns of the keypad in Hz (ITU-T Q.23). */
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = '123456789*0#';

/** Returns the recording of keys, separated by spaces, as a WAV file. */
function recording(keys: string): Uint8Array {
  const samples = keys.split(' ').flatMap((key) => {
    const position = KEYS.indexOf(key);
    const tones = [ROWS[Math.floor(position / 3)], COLUMNS[position % 3]];
    const [pause, length, volume] = random.uniform(3);
    const silence = new Array<number>(Math.round((0.05 + 0.1 * pause) * RATE)).fill(0);
    const tone = Array.from({ length: Math.round((0.08 + 0.08 * length) * RATE) }, (_, n) =>
      tones.reduce((sum, hz) => sum + (0.1 + 0.3 * volume) * Math.sin((2 * Math.PI * hz * n) / RATE), 0),
    );
    return [...silence, ...tone];
  });
  const noise = random.normal(samples.length, 0, 0.02);
  const channel = Float32Array.from(samples, (sample, n) => sample + noise[n]);
  return writeWav({ channels: [channel], sampleRate: RATE });
}

/** Returns 1 to `most` random keys, separated by spaces, for each of `count` recordings. */
const randomKeys = (count: number, most: number): string[] =>
  Array.from(random.uniform(count), (share) =>
    Array.from(random.uniform(1 + Math.floor(most * share)), (value) => KEYS[Math.floor(12 * value)]).join(
      ' ',
    ),
  );

/** Returns a table of recordings and their descriptions. (For the commands, a table has the names of WAV files instead.) */
const tableOf = (keys: readonly string[], name: string, descriptions: readonly string[]) =>
  makeTable({
    source: 'recordings',
    names: ['sound', name],
    cells: [keys.map(() => undefined), descriptions], // The values of `sound` are in `nested`.
    nested: new Map([['sound', keys.map(recording)]]),
  });

/** Returns a table of recordings of one key each, labelled "digit" or "symbol". */
const kindTable = (count: number) => {
  const keys = randomKeys(count, 1);
  return tableOf(
    keys,
    'kind',
    keys.map((key) => (/\d/.test(key) ? 'digit' : 'symbol')),
  );
};
const small = { units: 16, epochs: 15, learningRate: 0.01, augment: false };
const classifier = await trainClassifier(kindTable(160), {
  ...{ audio: 'sound', label: 'kind', networks: 1, ...small },
});
const { metrics } = await classifier.model.evaluate({ rows: kindTable(100) });
console.log(`accuracy on 100 new recordings: ${(100 * (metrics?.accuracy ?? 0)).toFixed(1)} %`);
const classify = await pipeline('classify', await classifier.model.toFiles());
console.log(`the star is a ${(await classify(recording('*')))[0].label}`);

/** Returns a table of recordings of up to five keys, with the keys as transcripts. */
const callTable = (count: number) => {
  const keys = randomKeys(count, 5);
  return tableOf(keys, 'keys', keys);
};
const { model } = await trainTranscriber(callTable(300), {
  ...{ audio: 'sound', text: 'keys', streaming: true, layers: 1, ...small, units: 32 },
});
const scores = await model.evaluate({ rows: callTable(60) });
console.log(`word error rate on 60 new recordings: ${(100 * (scores.metrics?.wer ?? 1)).toFixed(1)} %`);

const stream = model.stream(RATE);
const samples = mono(readWav(recording('5 5 5 0 1')));
for (let start = 0; start < samples.length; start += RATE / 4) {
  const text = await stream.push(samples.subarray(start, start + RATE / 4));
  console.log(`${((start + RATE / 4) / RATE).toFixed(2)} s: ${text}`);
}
console.log(`dialled: ${await stream.end()}`);
