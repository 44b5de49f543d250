// The evaluations of tasks on sound for tools/quality.mjs: trains with the defaults of `unroll train classify` and `unroll train
// transcribe`, and the flags of each evaluation, on the Free Spoken Digit Dataset (3,000 recordings of ten digits by six
// speakers). The recordings (takes) of each digit and speaker are numbered; those with the numbers 0 to 4 are for testing, as in
// the official split, and are scored once per run.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { RandomStream } from '@unroll/core';
import { makeTable, mono, readWav } from '@unroll/data';
import { trainClassifier, trainTranscriber } from '@unroll/tasks';

const DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const isTest = ({ take }) => take < 5;
/** The recordings with the numbers 5 to 9 are for validation. */
const isValidation = ({ take }) => take >= 5 && take < 10;

/** Yields the files of a tar archive (ustar) as [name, bytes]. */
function* filesOfTar(bytes) {
  const textOf = (from, length) => bytes.toString('latin1', from, from + length).replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0; ) {
    const size = Number.parseInt(textOf(at + 124, 12), 8);
    yield [textOf(at, 100), bytes.subarray(at + 512, at + 512 + size)];
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

/** Returns the recordings, sorted by name: { digit, speaker, take, samples, sampleRate }. */
export function recordings(folder) {
  const archives = readdirSync(folder).filter((name) => /^fsdd-\w+\.tar\.gz$/.test(name));
  const list = archives.flatMap((name) =>
    [...filesOfTar(gunzipSync(readFileSync(join(folder, name))))].flatMap(([path, bytes]) => {
      const [, digit, speaker, take] = /(\d)_(\w+)_(\d+)\.wav$/.exec(path) ?? [];
      if (digit === undefined) return [];
      const sound = readWav(new Uint8Array(bytes), { source: path });
      return [
        { path, digit, speaker, take: Number(take), samples: mono(sound), sampleRate: sound.sampleRate },
      ];
    }),
  );
  return list.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const soundsTable = (source, rows, name, labels) =>
  makeTable({
    source,
    names: ['sound', name],
    cells: [rows.map(() => undefined), labels],
    nested: new Map([['sound', rows]]),
  });

/** Trains a classifier and returns its accuracy on the test rows. */
async function classify(label, train, test, { seed, onEvent, budget }) {
  const labelsOf = (rows) => rows.map((row) => `${label} ${row[label]}`);
  const options = { audio: 'sound', label, seed, onEvent, ...(budget && { budget }) };
  const run = await trainClassifier(soundsTable('train', train, label, labelsOf(train)), options);
  const { metrics } = await run.model.evaluate({ rows: soundsTable('test', test, label, labelsOf(test)) });
  const epochs = run.trainings.map(({ bestEpoch }) => bestEpoch);
  return { value: metrics.accuracy, validation: run.scores.accuracy, epochs };
}

/** Returns an evaluation with the official split. @param label the column to predict */
const officialSplit =
  (label) =>
  ({ folder, ...run }) => {
    const all = recordings(folder);
    const train = all.filter((recording) => !isTest(recording));
    return classify(label, train, all.filter(isTest), run);
  };

/**
 * Limits of the training time in seconds: of each of the six classifiers of `leaveSpeakersOut`, and of a transcriber of
 * `joinedStrings`. With these limits, the run of a seed takes less than 15 minutes on two cores.
 */
const LEFT_OUT_BUDGET = 130;
const JOINED_BUDGET = 660;

/** Leaves out each speaker in turn, and returns the mean accuracy on the speaker that is left out. */
async function leaveSpeakersOut({ folder, ...run }) {
  const all = recordings(folder);
  const results = [];
  for (const leftOut of new Set(all.map(({ speaker }) => speaker))) {
    const train = all.filter(({ speaker }) => speaker !== leftOut);
    const test = all.filter(({ speaker }) => speaker === leftOut);
    results.push(await classify('digit', train, test, { ...run, budget: LEFT_OUT_BUDGET }));
    console.error(`without ${leftOut}: ${(100 * results.at(-1).value).toFixed(1)} %`);
  }
  const mean = (key) => results.reduce((sum, result) => sum + result[key], 0) / results.length;
  return {
    value: mean('value'),
    validation: mean('validation'),
    epochs: results.flatMap(({ epochs }) => epochs),
  };
}

/** Longest gap between two digits in seconds, and the standard deviation of the noise in the gap. */
const GAP = 0.15;
const GAP_LEVEL = 0.0005;

/**
 * Makes strings of 3 to 7 digits, each by concatenating recordings of one speaker.
 * @returns sounds with their transcripts: { samples, sampleRate, text }
 */
export function joinedDigits(all, count, seed) {
  const random = new RandomStream(seed, 'joined digits');
  const speakers = [...new Set(all.map(({ speaker }) => speaker))].sort();
  const bySpeaker = speakers.map((name) => all.filter(({ speaker }) => speaker === name));
  return Array.from({ length: count }, (_, n) => {
    const recordings = bySpeaker[n % speakers.length];
    const length = 3 + Math.floor(5 * random.uniform(1)[0]);
    const takes = Array.from(
      random.uniform(length),
      (value) => recordings[Math.floor(value * recordings.length)],
    );
    const { sampleRate } = takes[0];
    const parts = takes.flatMap(({ samples }, i) =>
      i === 0
        ? [samples]
        : [random.normal(Math.round(random.uniform(1)[0] * GAP * sampleRate), 0, GAP_LEVEL), samples],
    );
    const samples = new Float32Array(parts.reduce((sum, { length: size }) => sum + size, 0));
    let at = 0;
    for (const part of parts) {
      samples.set(part, at);
      at += part.length;
    }
    return { samples, sampleRate, text: takes.map(({ digit }) => DIGITS[digit]).join(' ') };
  });
}

/** Number of strings of digits in the training set, and in each of the validation and test sets. */
const TRAINING_STRINGS = 3000;
const OTHER_STRINGS = 300;

/** Returns an evaluation on strings of digits. Each recording is in only one of the training, validation and test sets. */
const joinedStrings =
  (streaming) =>
  async ({ folder, seed, onEvent }) => {
    const all = recordings(folder);
    const tableOf = (source, rows, count, stringSeed) => {
      const strings = joinedDigits(rows, count, stringSeed);
      return soundsTable(
        source,
        strings,
        'text',
        strings.map(({ text }) => text),
      );
    };
    const training = all.filter((recording) => !isTest(recording) && !isValidation(recording));
    const run = await trainTranscriber(tableOf('train', training, TRAINING_STRINGS, 1), {
      ...{ audio: 'sound', text: 'text', streaming, seed, onEvent, budget: JOINED_BUDGET },
      validation: tableOf('valid', all.filter(isValidation), OTHER_STRINGS, 2),
    });
    const { metrics } = await run.model.evaluate({
      rows: tableOf('test', all.filter(isTest), OTHER_STRINGS, 3),
    });
    return { value: metrics.wer, validation: run.scores.wordErrorRate, epochs: [run.training.bestEpoch] };
  };

const FSDD = { folder: 'fsdd', seeds: [0, 1, 2], format: 'percent' };
const ACCURACY = { ...FSDD, measure: 'accuracy' };
const WER = { ...FSDD, measure: 'word error rate', lower: true };
const OFFICIAL_SPLIT = 'recordings 0 to 4 of each digit and speaker are for testing';
const STRINGS =
  'recordings 0 to 4 are concatenated into 300 test strings, 5 to 9 into 300 validation strings, and the others into 3,000 ' +
  'training strings';

/** The evaluations. quality-results.mjs describes the fields. */
export const SOUNDS = [
  {
    ...{ set: 'fsdd', title: 'Free Spoken Digits, 10 digits', ...ACCURACY, must: 0.96, want: 0.985 },
    ...{ flags: '--audio sound --label digit', split: OFFICIAL_SPLIT, evaluate: officialSplit('digit') },
  },
  {
    ...{ set: 'fsdd-speakers', title: 'Free Spoken Digits, 6 speakers', ...ACCURACY, must: 0.97, want: 0.99 },
    ...{ flags: '--audio sound --label speaker', split: OFFICIAL_SPLIT, evaluate: officialSplit('speaker') },
  },
  {
    ...{
      set: 'fsdd-left-out',
      title: 'Free Spoken Digits, unknown speakers (mean of 6 trainings)',
      ...ACCURACY,
      seeds: [0],
    },
    ...{
      must: 0.7,
      want: 0.85,
      flags: '--audio sound --label digit --budget 130s',
      evaluate: leaveSpeakersOut,
    },
    split: 'each of six speakers is left out in turn',
  },
  {
    ...{ set: 'fsdd-joined', title: 'Free Spoken Digits, strings of 3 to 7 digits' },
    ...{ ...WER, must: 0.06, want: 0.03 },
    ...{ flags: '--audio sound --text text --budget 11m', split: STRINGS, evaluate: joinedStrings(false) },
  },
  {
    ...{ set: 'fsdd-joined-streaming', title: 'Free Spoken Digits, strings of 3 to 7 digits, streaming' },
    ...{ ...WER, must: 0.09, want: 0.05 },
    ...{
      flags: '--audio sound --text text --streaming --budget 11m',
      split: STRINGS,
      evaluate: joinedStrings(true),
    },
  },
];
