/**
 * Scores of synthesised speech: the mel-cepstral distortion (Kubichek 1993) between the synthesised and the recorded sound
 * after dynamic time warping, the difference of their durations, and the share of texts after which the decoder stopped by
 * itself.
 */
import type { ScoreTable } from '../shared/scores.js';

export interface SpeakScores {
  /** Mean distance of the cepstra (without coefficient 0, the level) along the best alignment, in dB. */
  distortion: number;
  /** Mean of |duration / duration of the reference - 1|. */
  durationError: number;
  /** Share of the texts after which the decoder stopped by itself. */
  stopped: number;
}

/** Number of cepstral coefficients that are compared: 1 to 13, without coefficient 0, the level. */
const COEFFICIENTS = 13;

/** A spectrogram in dB, row by row. */
export interface DecibelFrames {
  values: Float32Array;
  /** Number of frames. */
  length: number;
}

/** Returns the scores of synthesised spectrograms against recorded spectrograms. @param synthesised at least one */
export function speakScores(
  synthesised: readonly (DecibelFrames & { stopped: boolean })[],
  references: readonly DecibelFrames[],
): SpeakScores {
  const mean = (scoreOf: (n: number) => number): number =>
    synthesised.reduce((sum, _, n) => sum + scoreOf(n), 0) / synthesised.length;
  return {
    distortion: mean((n) => melCepstralDistortion(synthesised[n], references[n])),
    durationError: mean((n) => Math.abs(synthesised[n].length / references[n].length - 1)),
    stopped: mean((n) => Number(synthesised[n].stopped)),
  };
}

/**
 * Returns the mel-cepstral distortion in dB: the mean distance of aligned frames, for the alignment with the smallest sum of
 * distances. The distance of two frames is the Euclidean distance of their scaled cepstral coefficients 1 to 13; it equals the
 * root mean square difference of the log-mel spectra that are reconstructed from these coefficients alone.
 */
export function melCepstralDistortion(a: DecibelFrames, b: DecibelFrames): number {
  const [x, y] = [cepstra(a), cepstra(b)];
  const distance = (i: number, j: number): number => {
    let sum = 0;
    for (let k = 0; k < COEFFICIENTS; k++) sum += (x[i * COEFFICIENTS + k] - y[j * COEFFICIENTS + k]) ** 2;
    return Math.sqrt(sum);
  };
  // For each frame of b: the smallest sum of distances of a path up to this frame, and the number of steps of this path.
  let sums = new Float64Array(b.length + 1).fill(Number.POSITIVE_INFINITY);
  let steps = new Uint32Array(b.length + 1);
  sums[0] = 0;
  for (let i = 0; i < a.length; i++) {
    const next = new Float64Array(b.length + 1).fill(Number.POSITIVE_INFINITY);
    const nextSteps = new Uint32Array(b.length + 1);
    for (let j = 0; j < b.length; j++) {
      const predecessor = [
        [sums[j], steps[j]],
        [sums[j + 1], steps[j + 1]],
        [next[j], nextSteps[j]],
      ].reduce((best, candidate) => (candidate[0] < best[0] ? candidate : best));
      next[j + 1] = predecessor[0] + distance(i, j);
      nextSteps[j + 1] = predecessor[1] + 1;
    }
    [sums, steps] = [next, nextSteps];
  }
  return sums[b.length] / steps[b.length];
}

/** Returns the cepstral coefficients 1 to 13 of each frame, scaled so that distances are in dB. */
function cepstra({ values, length }: DecibelFrames): Float64Array {
  const width = values.length / length;
  const scale = Math.SQRT2 / width;
  const cosines = Float64Array.from({ length: COEFFICIENTS * width }, (_, i) => {
    const [k, m] = [Math.floor(i / width) + 1, i % width];
    return scale * Math.cos((Math.PI * k * (m + 0.5)) / width);
  });
  const result = new Float64Array(length * COEFFICIENTS);
  for (let t = 0; t < length; t++)
    for (let k = 0; k < COEFFICIENTS; k++) {
      let sum = 0;
      for (let m = 0; m < width; m++) sum += cosines[k * width + m] * values[t * width + m];
      result[t * COEFFICIENTS + k] = sum;
    }
  return result;
}

/** Returns the scores as a table of one row. */
export function scoreTable(scores: SpeakScores, texts: number, model: string): ScoreTable {
  const share = { format: 'share' as const, decimals: 1 };
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'mcd', title: 'distortion (dB)', format: 'number' },
      { name: 'duration_error', title: 'duration error', ...share },
      { name: 'stopped', title: 'stopped', ...share },
      { name: 'texts', title: 'texts', format: 'number' },
    ],
    rows: [[model, ...Object.values(metricsOf(scores)), texts]],
  };
}

/** Returns the metrics for JSON: the distortion in dB, the others as fractions. */
export const metricsOf = (scores: SpeakScores) => ({
  mcd: Number(scores.distortion.toPrecision(4)),
  duration_error: scores.durationError,
  stopped: scores.stopped,
});
