/**
 * Speech synthesis: a model learns to play notes, given their names, from generated recordings (sine tones), and writes a WAV
 * file. `unroll train speak` does the same with recordings of a voice.
 */
import { RandomStream } from 'unrolljs';
import { audioFeatures } from 'unrolljs/audio';
import { pipeline } from 'unrolljs/pipeline';
import { makeTable, trainVoice, writeWav } from 'unrolljs/speak';

const random = new RandomStream(3, 'notes');
const RATE = 4000;
/** Duration of a note in seconds. */
const LENGTH = 0.15;
/** The notes in Hz. */
const NOTES: Record<string, number> = { do: 523, mi: 659, so: 784, ti: 988 };
const NAMES = Object.keys(NOTES);

/** Returns a recording of notes. @param notes their names, separated by spaces */
function recordingOf(notes: string): { samples: Float32Array; sampleRate: number } {
  const names = notes.split(' ');
  const samples = Float32Array.from({ length: Math.round(names.length * LENGTH * RATE) }, (_, n) => {
    const t = n / RATE;
    return 0.3 * Math.sin(2 * Math.PI * NOTES[names[Math.floor(t / LENGTH)]] * t);
  });
  return { samples, sampleRate: RATE };
}

/** Returns `count` songs of two to four notes. */
const songs = (count: number): string[] =>
  Array.from(random.uniform(count), (share) =>
    Array.from(random.uniform(2 + Math.floor(3 * share)), (u) => NAMES[Math.floor(4 * u)]).join(' '),
  );

/** Returns a table of songs and their recordings. (For the commands, a table has the names of WAV files instead.) */
const tableOf = (list: readonly string[]) =>
  makeTable({
    source: 'songs',
    names: ['notes', 'sound'],
    cells: [list, list.map(() => undefined)],
    nested: new Map([['sound', list.map(recordingOf)]]),
  });

const { model } = await trainVoice(tableOf(songs(120)), {
  ...{ text: 'notes', audio: 'sound', units: 48, embedding: 16, mels: 32, reduction: 2 },
  ...{ epochs: 50, batchSize: 8, learningRate: 0.005, dropout: 0 },
});
const { metrics } = await model.evaluate({ rows: tableOf(songs(30)) });
console.log(`distortion on 30 new songs: ${metrics?.mcd.toFixed(1)} dB`);
console.log(`end predicted in ${(100 * (metrics?.stopped ?? 0)).toFixed(0)} % of the songs`);

const sing = await pipeline('speak', await model.toFiles());
const { samples, sampleRate } = await sing('so mi do ti');
console.log(`so mi do ti: ${(samples.length / sampleRate).toFixed(2)} s, ${notesIn(samples)}`);
console.log(`WAV file: ${writeWav({ channels: [samples], sampleRate }).length} bytes`);

/** Returns the names of the notes that a sound consists of, from the loudest frequency of each note. */
function notesIn(all: Float32Array): string {
  const size = Math.round(LENGTH * RATE);
  const features = audioFeatures({
    sampleRate: RATE,
    kind: 'spectrogram',
    windowLength: 400,
    hopLength: size,
    fftSize: 1024,
  });
  const { values, width, length } = features.frames(all.subarray(size / 2));
  return Array.from({ length: length }, (_, t) => {
    const frame = Array.from(values.subarray(t * width, (t + 1) * width));
    const frequency = (frame.indexOf(Math.max(...frame)) * RATE) / 1024;
    const distance = (name: string): number => Math.abs(NOTES[name] - frequency);
    return NAMES.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  }).join(' ');
}
