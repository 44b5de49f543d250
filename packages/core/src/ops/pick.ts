/**
 * The ops for integer class targets: `pick` selects one element of each row, and `sparseCrossentropy` computes the
 * cross-entropy of logits. Neither creates one-hot targets, which for a large vocabulary would need more memory than
 * the model.
 */
import type { Block, Kernels } from '../backend.js';
import { formatShape, shapeError, valueError } from '../errors.js';
import { apply1, NO_ATTRIBUTES, type NoAttributes, type Op } from '../op.js';
import { currentScope } from '../runtime.js';
import { asTensor, hostValues, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';

/** Kernels read indices as float32, in which integers up to this limit are exact. */
export const MAX_EXACT_INTEGER = 2 ** 24;

/**
 * Splits x [N, K] into chunks of rows whose elements the kernels can index, and calls `visit` for each chunk.
 * `indices` are the offsets of the elements [r, ids[r]] within the chunk; the chunk begins at row `first` and has
 * `count` rows.
 */
function forEachChunk(
  x: Tensor,
  ids: Tensor,
  visit: (chunk: Block, indices: Block, first: number, count: number) => void,
): void {
  const { backend } = currentScope();
  const [N, K] = x.shape as [number, number];
  const classes = hostValues(ids, 'The class of each row');
  const maxRows = Math.max(1, Math.floor(MAX_EXACT_INTEGER / Math.max(K, 1)));
  for (let first = 0; first < N; first += maxRows) {
    const count = Math.min(maxRows, N - first);
    const indices = backend.temporary(count);
    backend.write(
      indices,
      classes.subarray(first, first + count).map((id, r) => r * K + id),
    );
    visit(backend.view(x.block(), first * K, count * K), indices, first, count);
  }
}

/** y[r] = x[r, ids[r]] */
function pickInto(x: Tensor, ids: Tensor, y: Tensor, kernels: Kernels): void {
  forEachChunk(x, ids, (chunk, indices, first, count) => {
    kernels.gather(chunk, indices, currentScope().backend.view(y.block(), first, count), 1);
  });
}

/** x[r, ids[r]] += g[r] */
function scatterInto(x: Tensor, ids: Tensor, g: Block, kernels: Kernels): void {
  forEachChunk(x, ids, (chunk, indices, first, count) => {
    kernels.scatterAdd(chunk, indices, currentScope().backend.view(g, first, count), 1);
  });
}

/** x [N, K] and the class index of each row, [N]. */
type ClassInputs = readonly [x: Tensor, ids: Tensor];

const pickOp: Op<NoAttributes, ClassInputs> = {
  name: 'pick',
  shapes: ([x]) => [[x[0]]],
  forward: ({ inputs: [x, ids], outputs: [y], kernels }) => pickInto(x, ids, y, kernels),
  backward({ inputs: [x, ids], grads: [g], kernels }) {
    const dx = temporaryTensor(x.shape);
    kernels.fill(dx.block(), 0);
    scatterInto(dx, ids, g.block(), kernels);
    return [dx, null];
  },
};

export interface CrossentropyAttributes {
  /** The fraction s of each target that is distributed evenly over the classes, 0 to 1. */
  smoothing: number;
}

const sparseCrossentropyOp: Op<CrossentropyAttributes, ClassInputs> = {
  name: 'sparseCrossentropy',
  shapes: ([x]) => [[x[0]]],
  // y = -(1 - s) log p_class - s mean(log p)
  forward({ inputs: [x, ids], attrs: { smoothing }, outputs: [y], kernels }) {
    const [N, K] = x.shape as [number, number];
    const logP = temporaryTensor([N, K]);
    kernels.softmax(x.block(), logP.block(), K, true);
    pickInto(logP, ids, y, kernels);
    if (smoothing === 0) kernels.unary('neg', y.block(), y.block());
    else {
      const total = temporaryTensor([N]);
      kernels.reduce('sum', logP.block(), total.block(), 1);
      scaleInPlace(y, smoothing - 1, kernels);
      kernels.accumulate(y.block(), total.block(), -smoothing / K);
    }
    return logP;
  },
  // dx = g (softmax x - (1 - s) one-hot of the class - s / K)
  backward({ inputs: [x, ids], attrs: { smoothing }, saved, grads: [g], kernels }) {
    const [N, K] = x.shape as [number, number];
    const { backend } = currentScope();
    const dx = temporaryTensor([N, K]);
    const classTerm = backend.temporary(N);
    kernels.unary('exp', (saved as Tensor).block(), dx.block());
    kernels.fill(classTerm, smoothing - 1);
    scatterInto(dx, ids, classTerm, kernels);
    if (smoothing !== 0) {
      const uniformTerm = backend.temporary(1);
      kernels.fill(uniformTerm, smoothing / K);
      kernels.binary({ op: 'sub', a: dx.block(), b: uniformTerm, stridesB: [0], y: dx.block() });
    }
    kernels.binary({
      op: 'mul',
      a: dx.block(),
      b: g.block(),
      stridesB: [1, 0],
      y: dx.block(),
      shape: [N, K],
    });
    return [dx, null];
  },
};

function scaleInPlace(x: Tensor, factor: number, kernels: Kernels): void {
  const scale = currentScope().backend.temporary(1);
  kernels.fill(scale, factor);
  kernels.binary({ op: 'mul', a: x.block(), b: scale, stridesB: [0], y: x.block() });
}

export const pickOps = { pick: pickOp, sparseCrossentropy: sparseCrossentropyOp };

/** Returns x, and the classes as a tensor. @throws UnrollError if the shapes do not match or a class is invalid */
function checkClasses(name: string, x: Tensor, classes: TensorLike): [Tensor, Tensor] {
  const ids = asTensor(classes);
  if (x.rank !== 2 || ids.rank !== 1 || ids.size !== x.shape[0]) {
    throw shapeError(
      `${name} takes rows [N, K] and a class index for each row, [N]; ` +
        `got ${formatShape(x.shape)} and ${formatShape(ids.shape)}.`,
      { x: x.shape, ids: ids.shape },
    );
  }
  const count = x.shape[1];
  const values = hostValues(ids, `${name}: the class of each row`);
  const invalid = values.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < count));
  if (invalid >= 0) {
    throw valueError(
      `${name}: the class of row ${invalid} must be an integer from 0 to ${count - 1}, got ${values[invalid]}.`,
      { id: values[invalid], row: invalid, classes: count },
    );
  }
  return [x, ids];
}

/**
 * Returns the element x[r, ids[r]] of each row r of x [N, K], as a tensor [N].
 * @throws UnrollError `value` for the first invalid class
 */
export function pick(x: Tensor, ids: TensorLike): Tensor {
  return apply1(pickOp, checkClasses('pick', x, ids), NO_ATTRIBUTES);
}

/**
 * Returns the cross-entropy -log softmax(x)[r, ids[r]] of each row r of the logits x [N, K], as a tensor [N]. Large
 * logits do not overflow.
 * @param smoothing label smoothing (Szegedy et al. 2016): the fraction of each target that is distributed evenly over
 *   the classes, 0 to 1. Default 0
 * @throws UnrollError `value` for the first invalid class
 */
export function sparseCrossentropy(x: Tensor, ids: TensorLike, smoothing = 0): Tensor {
  return apply1(sparseCrossentropyOp, checkClasses('sparseCrossentropy', x, ids), { smoothing });
}
