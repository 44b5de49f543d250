/** Generates the spectrograms of texts: at each step, the decoder reads the last frame that it generated, until it stops. */
import { type Tensor, tensor } from '@unroll/core';
import { padSequences } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { textBatches } from '../shared/text-batches.js';
import { TEXT_INPUT } from './network.js';
import type { Spectrogram } from './voice.js';

/** Texts per batch. */
const BATCH = 32;

/** The shape of the frames, and the limit of the steps. */
export interface DecodeLimits {
  /** Frames per step of the decoder. */
  reduction: number;
  /** Features of a frame. */
  mels: number;
  /** Largest number of steps for a text of this many ids. */
  maxSteps: (ids: number) => number;
}

/** The spectrogram of a text. */
export interface SynthesisedSpectrogram extends Spectrogram {
  /** Attention weights: for each step of the decoder, the weight of each character. */
  alignment: Float32Array[];
  /** Whether the decoder stopped by itself. If false, the spectrogram was cut off at the largest number of steps. */
  stopped: boolean;
}

/** Returns the spectrograms of texts, in the order of the texts. @param texts ids of each text */
export async function decodeFrames(
  network: Functional,
  texts: readonly Int32Array[],
  limits: DecodeLimits,
): Promise<SynthesisedSpectrogram[]> {
  const results: SynthesisedSpectrogram[] = [];
  for (const rows of textBatches(texts, BATCH)) {
    const spectrograms = await decodeBatch(
      network,
      Array.from(rows, (row) => texts[row]),
      limits,
    );
    for (const [i, row] of rows.entries()) results[row] = spectrograms[i];
  }
  return results;
}

/** A text whose speech is not finished: its index, and the frames and attention weights so far. */
interface UnfinishedText {
  index: number;
  parts: Float32Array[];
  alignment: Float32Array[];
}

async function decodeBatch(
  network: Functional,
  texts: readonly Int32Array[],
  { reduction, mels, maxSteps }: DecodeLimits,
): Promise<SynthesisedSpectrogram[]> {
  const ids: Tensor = padSequences(texts).values;
  const results: SynthesisedSpectrogram[] = [];
  let stream = network.stream({ inputs: { [TEXT_INPUT]: ids } });
  let active = texts.map((_, index): UnfinishedText => ({ index, parts: [], alignment: [] }));
  let previous = new Float32Array(texts.length * mels);
  while (active.length > 0) {
    const outputs = runStep(stream, previous, [active.length, mels]);
    const [frames, stops, weights] = await Promise.all(outputs.map(async (output) => output.data()));
    const width = reduction * mels;
    const longest = weights.length / active.length;
    const rows: number[] = [];
    for (const [row, { index, parts, alignment }] of active.entries()) {
      parts.push(Float32Array.from(frames.slice(row * width, (row + 1) * width)));
      const { length } = texts[index];
      alignment.push(Float32Array.from(weights.slice(row * longest, row * longest + length)));
      const stopped = stops[row] > 0 && parts.length * reduction > 1; // A sound has at least two frames.
      if (!stopped && parts.length < maxSteps(length)) rows.push(row);
      else results[index] = { ...joinFrames(parts, mels), alignment, stopped };
    }
    previous = new Float32Array(rows.length * mels);
    for (const [i, row] of rows.entries())
      previous.set(frames.slice((row + 1) * width - mels, (row + 1) * width), i * mels);
    if (rows.length > 0 && rows.length < active.length) stream = stream.select(rows);
    active = rows.map((row) => active[row]);
  }
  return results;
}

function joinFrames(parts: readonly Float32Array[], mels: number): Spectrogram {
  const width = parts[0].length;
  const values = new Float32Array(parts.length * width);
  for (const [i, part] of parts.entries()) values.set(part, i * width);
  return { values, length: values.length / mels };
}

/** Runs one step of a stream and returns all its outputs. */
export function runStep(
  stream: ReturnType<Functional['stream']>,
  previous: Float32Array,
  shape: readonly [number, number],
): readonly Tensor[] {
  stream.step(tensor(previous, shape));
  return stream.outputs;
}

/**
 * Scheduled sampling (Bengio et al. 2015) for frames: replaces some of the correct previous frames of a batch by frames that the
 * decoder generated, so that it learns to continue after its own frames.
 * @param probability returns the probability that a frame is replaced, from the number of updates so far
 * @returns a function for the option `prepareInputs` of `train`
 */
export function frameSampling(
  network: Functional,
  { reduction, mels }: Pick<DecodeLimits, 'reduction' | 'mels'>,
  probability: (updates: number) => number,
) {
  return async (
    inputs: readonly Tensor[],
    { updates, random }: { updates: number; random: { uniform(count: number): ArrayLike<number> } },
  ): Promise<readonly Tensor[]> => {
    const p = probability(updates);
    if (p === 0) return inputs;
    const [text, previous] = inputs;
    const [B, T] = previous.shape;
    const mixed = Float32Array.from(await previous.data());
    const draws = random.uniform(B * T);
    const stream = network.stream({ inputs: { [TEXT_INPUT]: text } });
    const width = reduction * mels;
    const previousFrames = new Float32Array(B * mels);
    for (let t = 0; t + 1 < T; t++) {
      for (let b = 0; b < B; b++)
        previousFrames.set(mixed.subarray((b * T + t) * mels, (b * T + t + 1) * mels), b * mels);
      const [frames] = runStep(stream, previousFrames.slice(), [B, mels]);
      const generated = await frames.data();
      for (let b = 0; b < B; b++) {
        const row = b * T + t + 1;
        if (draws[row] < p) mixed.set(generated.slice((b + 1) * width - mels, (b + 1) * width), row * mels);
      }
    }
    return [text, tensor(mixed, [B, T, mels])];
  };
}
