/** Derivatives of features over time. */
import { joined } from './joined.js';

/**
 * Options of derivatives over time ("deltas", Furui 1986). As in HTK and torchaudio, a derivative is the slope of a regression line
 * through the frames t - radius to t + radius. The first and the last frame are repeated beyond the ends.
 */
export interface DeltaOptions {
  /** Number of values of a frame. */
  width: number;
  /** Number of values, counted from the end of a frame, whose derivatives are computed and appended to the frame. */
  last: number;
  /** Number of frames on each side from which a derivative is estimated. */
  radius: number;
}

/** Takes frames in chunks and returns them with derivatives. A frame is returned once the `radius` frames after it are known. */
export class DeltaStream {
  readonly #width: number;
  readonly #last: number;
  readonly #radius: number;
  readonly #scale: number;
  /** The frames from t - radius on, where t is the next frame to return. */
  #frames: Float32Array[] = [];

  constructor({ width, last, radius }: DeltaOptions) {
    [this.#width, this.#last, this.#radius] = [width, last, radius];
    this.#scale = 3 / (radius * (radius + 1) * (2 * radius + 1)); // 1 / (2 sum over n of n²)
  }

  /** Appends frames [n, width] and returns the frames whose derivatives are now known: [m, width + last]. */
  push(frames: Float32Array): Float32Array<ArrayBuffer> {
    const width = this.#width;
    for (let offset = 0; offset < frames.length; offset += width) {
      const frame = frames.slice(offset, offset + width);
      if (this.#frames.length === 0) for (let n = 0; n < this.#radius; n++) this.#frames.push(frame);
      this.#frames.push(frame);
    }
    return this.#take();
  }

  /** Ends the stream and returns the remaining frames with derivatives. */
  end(): Float32Array<ArrayBuffer> {
    const last = this.#frames.at(-1);
    if (last === undefined) return new Float32Array(0);
    for (let n = 0; n < this.#radius; n++) this.#frames.push(last);
    return this.#take();
  }

  /** Removes the frames whose neighbours are known and returns them with derivatives. */
  #take(): Float32Array<ArrayBuffer> {
    const [width, last, radius, frames] = [this.#width, this.#last, this.#radius, this.#frames];
    const count = Math.max(0, frames.length - 2 * radius);
    const out = new Float32Array(count * (width + last));
    for (let t = 0; t < count; t++) {
      const start = t * (width + last);
      out.set(frames[t + radius], start);
      for (let i = 0; i < last; i++) {
        const from = width - last + i;
        let sum = 0;
        for (let n = 1; n <= radius; n++)
          sum += n * (frames[t + radius + n][from] - frames[t + radius - n][from]);
        out[start + width + i] = this.#scale * sum;
      }
    }
    this.#frames = frames.slice(count);
    return out;
  }
}

/**
 * Returns frames with their derivatives.
 * @param frames [count, width], row by row
 * @param radius number of frames on each side from which a derivative is estimated. Default 2
 * @returns [count, 2 width]
 */
export function appendDeltas(frames: Float32Array, width: number, radius = 2): Float32Array {
  const stream = new DeltaStream({ width, last: width, radius });
  return joined([stream.push(frames), stream.end()]);
}
