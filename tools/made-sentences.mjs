// Generates sentences from a small grammar, and synthesises speech from them with espeak-ng (apt install espeak-ng), for
// tools/quality-speech.mjs. The same seed and the same version of espeak-ng give the same sounds.
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { RandomStream } from '@unroll/core';
import { readWav, resample } from '@unroll/data';

/** The 60 words of the grammar, by their role in a sentence. */
export const WORDS = {
  verb: ['move', 'take', 'put', 'bring', 'open', 'close', 'find', 'show'],
  name: ['anna', 'peter', 'maria', 'john'],
  determiner: ['the', 'my', 'your'],
  color: ['red', 'green', 'blue', 'yellow', 'black', 'white'],
  object: ['box', 'door', 'window', 'lamp', 'ball', 'chair', 'table', 'book', 'cup', 'key'],
  relation: ['in', 'on', 'under', 'behind'],
  place: ['kitchen', 'garden', 'office', 'hall', 'cellar', 'attic'],
  number: ['two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
  time: ['now', 'today', 'tomorrow', 'later'],
  other: ['please', 'and', 'where', 'is', 'are', 'not', 'to'],
};

/** Patterns of sentences: roles in braces, words, and optional parts in brackets. */
const PATTERNS = [
  '[please] {verb} {determiner} [{color}] {object} [{time}]',
  '[please] {verb} {determiner} [{color}] {object} and {determiner} {object}',
  '{verb} {object} {number} to {determiner} {place} [{time}]',
  '{determiner} [{color}] {object} is [not] {relation} {determiner} {place}',
  '{determiner} {object} is [not] {color}',
  'where is {determiner} {color} {object} [now]',
  'where are {name} and {name} [{time}]',
  '{name} and {name} are [not] {relation} {determiner} {place} [{time}]',
  '{name} is {relation} {determiner} {place} [and {name} is {relation} {determiner} {place}]',
  '{object} {number} and {object} {number} are {relation} {determiner} [{color}] {object}',
];

/** Returns a random sentence. */
function sentence(random) {
  let draws = 0;
  const choose = (list) => list[Math.floor(random.child(draws++).uniform(1)[0] * list.length)];
  return choose(PATTERNS)
    .replace(/\[([^\]]*)\]/g, (_, part) => choose(['', part]))
    .replace(/\{(\w+)\}/g, (_, role) => choose(WORDS[role]))
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * Returns `count` different sentences.
 * @param without sentences to leave out, such as those for training
 */
export function sentences(count, seed, without = new Set()) {
  const random = new RandomStream(seed, 'made sentences');
  const found = new Set();
  for (let n = 0; found.size < count; n++) {
    const candidate = sentence(random.child(n));
    if (!without.has(candidate)) found.add(candidate);
  }
  return [...found];
}

/** Returns how to install espeak-ng if it is missing; otherwise null. */
export const missingVoice = () =>
  spawnSync('espeak-ng', ['--version']).error ? 'install espeak-ng (apt install espeak-ng)' : null;

/** Synthesises a text with espeak-ng. Returns the bytes of the WAV file. */
function espeak(text, { voice, speed = 160, pitch = 50 }) {
  return new Promise((resolve, reject) => {
    const child = spawn('espeak-ng', [
      '-v',
      voice,
      '-s',
      String(speed),
      '-p',
      String(pitch),
      '--stdout',
      text,
    ]);
    const chunks = [];
    let errors = '';
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(new Uint8Array(Buffer.concat(chunks)));
      else
        reject(
          new Error(`espeak-ng failed (${code === null ? signal : `exit code ${code}`}): ${errors.trim()}`),
        );
    });
  });
}

/** Sample rate of the results in Hz. The output of espeak-ng, at 22,050 Hz, is resampled. */
const RATE = 16_000;
/** Number of samples of the noise, of which each sound gets a random section. */
const NOISE = 2 ** 19;

/** Adds noise at a signal-to-noise ratio of `snr` dB. @param start where in `noise` to begin, from 0 to 1 */
function withNoise(samples, noise, { snr, start }) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const level = Math.sqrt(power) * 10 ** (-snr / 20);
  const offset = Math.floor(start * NOISE);
  return samples.map((sample, i) => sample + level * noise[(offset + i) % NOISE]);
}

/**
 * Synthesises speech from texts; each text gets the next voice of the list.
 * @param options.vary true: the speed (130 to 200 words per minute), the pitch (35 to 65) and the noise (10 to 40 dB below the
 *   speech) of each sentence are random, for training. Default false: 160 words per minute, pitch 50, no noise
 * @returns sounds with their transcripts: { samples, sampleRate, text }
 */
export async function speakAll(texts, { voices, vary = false, seed = 0 }) {
  const random = new RandomStream(seed, 'made voices');
  const noise = vary ? random.child('noise').normal(NOISE) : null;
  const sounds = new Array(texts.length);
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < texts.length; n = next++) {
      const [speed, pitch, snr, start] = random.child(n).uniform(4);
      const changes = vary ? { speed: Math.round(130 + 70 * speed), pitch: Math.round(35 + 30 * pitch) } : {};
      const wav = await espeak(texts[n], { voice: voices[n % voices.length], ...changes });
      const { channels, sampleRate } = readWav(wav, { source: texts[n] });
      const clean = resample(channels[0], { from: sampleRate, to: RATE, crossings: 16 });
      const samples = noise ? withNoise(clean, noise, { snr: 10 + 30 * snr, start }) : clean;
      sounds[n] = { samples, sampleRate: RATE, text: texts[n] };
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return sounds;
}
