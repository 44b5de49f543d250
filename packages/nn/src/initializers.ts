/**
 * Initial weights, by Keras 3's names and definitions. All come from counter-based streams and elementary arithmetic, so
 * that one seed gives the same weights on every machine.
 */
import { type RandomStream, type Shape, valueError } from '@unroll/core';

/** Makes the initial values of a tensor of `shape`, row-major. */
export type InitializerFunction = (shape: Shape, random: RandomStream) => ArrayLike<number>;

const initializers = {
  zeros: (shape: Shape): ArrayLike<number> => new Float64Array(size(shape)),
  ones: (shape: Shape): ArrayLike<number> => new Float64Array(size(shape)).fill(1),
  /** Uniform in ±sqrt(6 / (fanIn + fanOut)) (Glorot & Bengio 2010). */
  glorotUniform(shape: Shape, random: RandomStream): ArrayLike<number> {
    const [fanIn, fanOut] = fans(shape);
    const limit = Math.sqrt(6 / (fanIn + fanOut));
    return random.uniform(size(shape), -limit, limit);
  },
  orthogonal,
} satisfies Record<string, InitializerFunction>;

export type InitializerName = keyof typeof initializers;
/** An initialiser by name, or a function of your own (which an artifact does not need: it holds the weights). */
export type Initializer = InitializerName | InitializerFunction;

export function initialize(how: Initializer, shape: Shape, random: RandomStream): ArrayLike<number> {
  if (typeof how === 'function') return how(shape, random);
  const found = initializers[how] as InitializerFunction | undefined;
  if (!found) {
    const names = Object.keys(initializers).join(', ');
    throw valueError(`There is no initializer "${how}". Choose one of ${names}.`, { name: how });
  }
  return found(shape, random);
}

function size(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function fans(shape: Shape): [number, number] {
  if (shape.length < 2) return [shape[0] ?? 1, shape[0] ?? 1];
  const field = size(shape.slice(0, -2));
  return [shape.at(-2)! * field, shape.at(-1)! * field];
}

/**
 * A matrix with orthonormal rows or columns, whichever are fewer: the Q of a normal matrix's QR decomposition with the
 * signs of R's diagonal put right, so that it is uniform over the orthogonal group (Saxe et al. 2014).
 */
function orthogonal(shape: Shape, random: RandomStream): ArrayLike<number> {
  const cols = shape.at(-1)!;
  const rows = size(shape.slice(0, -1));
  const [tall, narrow] = [Math.max(rows, cols), Math.min(rows, cols)];
  // Column j of the tall matrix, by modified Gram-Schmidt done twice: as orthogonal as Householder's, and shorter. Its
  // R has a positive diagonal by construction, which is the sign correction.
  const q = Array.from({ length: narrow }, () => random.normal(tall));
  for (let j = 0; j < narrow; j++) {
    const column = q[j]!;
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < j; i++) {
        const other = q[i]!;
        let dot = 0;
        for (let r = 0; r < tall; r++) dot += other[r]! * column[r]!;
        for (let r = 0; r < tall; r++) column[r]! -= dot * other[r]!;
      }
    }
    let norm = 0;
    for (const value of column) norm += value * value;
    norm = Math.sqrt(norm);
    for (let r = 0; r < tall; r++) column[r]! /= norm;
  }
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) out[r * cols + c] = rows >= cols ? q[c]![r]! : q[r]![c]!;
  }
  return out;
}
