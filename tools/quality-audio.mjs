// The evaluations of tasks on sound for tools/quality.mjs: trains with the defaults of `unroll train classify` and `unroll train
// transcribe` on the Free Spoken Digit Dataset (3,000 recordings of ten digits by six speakers). Takes 0 to 4 of each digit and
// speaker are for testing, as in its official split, and are scored once per run.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { RandomStream } from '@unroll/core';
import { makeTable, mono, readWav } from '@unroll/data';
import { trainClassifier, trainTranscriber } from '@unroll/tasks';

const DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const isTest = ({ take }) => take < 5;
/** Takes for validation and for choices. */
const isValidation = ({ take }) => take >= 5 && take < 10;

/** Yields the files of a tar archive (ustar): [name, bytes]. */
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
async function classify(label, train, test, seed, onEvent) {
  const labelsOf = (rows) => rows.map((row) => `${label} ${row[label]}`);
  const start = performance.now();
  const options = { audio: 'sound', label, seed, onEvent };
  const { model, scores } = await trainClassifier(
    soundsTable('train', train, label, labelsOf(train)),
    options,
  );
  const seconds = (performance.now() - start) / 1000;
  const { metrics } = await model.evaluate({ rows: soundsTable('test', test, label, labelsOf(test)) });
  return { accuracy: metrics.accuracy, validation: scores.accuracy, seconds };
}

/** The official split. */
const official = (label) => (all, seed, onEvent) =>
  classify(
    label,
    all.filter((each) => !isTest(each)),
    all.filter(isTest),
    seed,
    onEvent,
  );

/** Each speaker is left out in turn. */
async function leftOut(all, seed, onEvent) {
  const results = {};
  let [sum, seconds] = [0, 0];
  const speakers = [...new Set(all.map(({ speaker }) => speaker))].sort();
  for (const speaker of speakers) {
    const train = all.filter((each) => each.speaker !== speaker);
    const result = await classify(
      'digit',
      train,
      all.filter((each) => each.speaker === speaker),
      seed,
      onEvent,
    );
    results[speaker] = result.accuracy;
    sum += result.accuracy;
    seconds = Math.max(seconds, result.seconds);
    console.error(`without ${speaker}: ${percent(result.accuracy)}`);
  }
  return { ...results, accuracy: sum / speakers.length, seconds };
}

/** Longest silence between two digits in seconds, and its level. */
const GAP = 0.15;
const GAP_LEVEL = 0.0005;

/**
 * Joins recordings of one speaker to strings of 3 to 7 digits.
 * @returns sounds with their transcripts: { samples, sampleRate, text }
 */
export function joinedDigits(all, count, seed) {
  const random = new RandomStream(seed, 'joined digits');
  const speakers = [...new Set(all.map(({ speaker }) => speaker))].sort();
  const bySpeaker = speakers.map((name) => all.filter(({ speaker }) => speaker === name));
  return Array.from({ length: count }, (_, n) => {
    const own = bySpeaker[n % speakers.length];
    const length = 3 + Math.floor(5 * random.uniform(1)[0]);
    const takes = Array.from(random.uniform(length), (value) => own[Math.floor(value * own.length)]);
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

const TRAINING_STRINGS = 3000;
const OTHER_STRINGS = 300;

/** Connected digits; training, validation and test strings share no recording. */
const joined = (streaming) => async (all, seed, onEvent) => {
  const tableOf = (source, rows, count, stream) => {
    const strings = joinedDigits(rows, count, stream);
    return soundsTable(
      source,
      strings,
      'text',
      strings.map(({ text }) => text),
    );
  };
  const training = all.filter((each) => !isTest(each) && !isValidation(each));
  const start = performance.now();
  const { model, scores } = await trainTranscriber(tableOf('train', training, TRAINING_STRINGS, 1), {
    ...{ audio: 'sound', text: 'text', streaming, seed, onEvent },
    validation: tableOf('valid', all.filter(isValidation), OTHER_STRINGS, 2),
  });
  const seconds = (performance.now() - start) / 1000;
  const { metrics } = await model.evaluate({ rows: tableOf('test', all.filter(isTest), OTHER_STRINGS, 3) });
  const { wer, cer, exact_match: exact } = metrics;
  return { wer, cer, exact, validation: scores.wordErrorRate, seconds };
};

/** `columns`: titles of the results, by name. */
export const SOUND_EVALUATIONS = [
  {
    ...{ set: 'fsdd', title: 'spoken digits, official split', run: official('digit') },
    columns: { accuracy: 'test accuracy', validation: 'validation accuracy' },
  },
  {
    ...{ set: 'fsdd-speakers', title: 'six speakers, official split', run: official('speaker') },
    columns: { accuracy: 'test accuracy', validation: 'validation accuracy' },
  },
  {
    ...{
      set: 'fsdd-left-out',
      title: 'spoken digits of a speaker who is not in the training data',
      run: leftOut,
    },
    columns: {
      ...{ george: 'george', jackson: 'jackson', lucas: 'lucas', nicolas: 'nicolas', theo: 'theo' },
      ...{ yweweler: 'yweweler', accuracy: 'mean accuracy' },
    },
  },
  {
    ...{ set: 'fsdd-joined', title: 'strings of 3 to 7 digits', run: joined(false) },
    columns: { wer: 'test WER', cer: 'test CER', exact: 'exact', validation: 'validation WER' },
  },
  {
    ...{ set: 'fsdd-joined-streaming', title: 'strings of 3 to 7 digits, streaming', run: joined(true) },
    columns: { wer: 'test WER', cer: 'test CER', exact: 'exact', validation: 'validation WER' },
  },
];

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Runs an evaluation with each seed and prints a table like those of docs/quality.md. */
export async function printSound({ set, title, run, columns }, data, seeds) {
  console.log(`\n## ${set}: ${title}\n`);
  const folder = join(data ?? '', 'fsdd');
  if (data === undefined || !existsSync(folder)) {
    console.log('Skipped: pass --data DIR with a subfolder fsdd (see docs/quality.md).');
    return;
  }
  const all = recordings(folder);
  const names = Object.keys(columns);
  console.log(
    `| seed | ${Object.values(columns).join(' | ')} | seconds |\n|---|${'---:|'.repeat(names.length + 1)}`,
  );
  const results = [];
  for (const seed of seeds) {
    const onEvent = (event) => {
      if (event.event !== 'epoch') return;
      const loss = event.validationLoss?.toPrecision(4);
      console.error(
        `${set}, seed ${seed}, training ${event.training}, epoch ${event.epoch}, validation loss ${loss}`,
      );
    };
    const result = await run(all, seed, onEvent);
    results.push(result);
    console.log(
      `| ${seed} | ${names.map((name) => percent(result[name])).join(' | ')} | ${result.seconds.toFixed(0)} |`,
    );
  }
  const mean = (name) => percent(results.reduce((sum, result) => sum + result[name], 0) / results.length);
  if (results.length > 1) console.log(`| **mean** | ${names.map(mean).join(' | ')} | |`);
}
