/**
 * Sparse (integer) class targets: picks one element from each row, and computes the cross-entropy of logits
 * without one-hot targets, which would need more memory than the model for a large vocabulary.
 */
import type { Block, Kernels } from '../backend.js';
import { formatShape, shapeError, valueError } from '../errors.js';
import { apply1, NONE, type NoAttributes, type Op } from '../op.js';
import { openScope } from '../runtime.js';
import { asTensor, hostValues, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';

/** Integers up to this limit are exact in float32, the type of the row numbers that kernels read. */
const EXACT = 2 ** 24;

/**
 * Calls `visit` with the elements [r, ids[r]] of x [N, K] as rows of a one-column table, in chunks of rows that are
 * small enough for the kernels: the chunk of x, the positions in it, the first row and the number of rows.
 */
function eachStretch(
  x: Tensor,
  ids: Tensor,
  visit: (stretch: Block, positions: Block, first: number, count: number) => void,
): void {
  const { backend } = openScope();
  const [N, K] = x.shape as [number, number];
  const chosen = hostValues(ids, 'The class of each row');
  const most = Math.max(1, Math.floor(EXACT / Math.max(K, 1)));
  for (let first = 0; first < N; first += most) {
    const count = Math.min(most, N - first);
    const positions = backend.temporary(count);
    backend.write(
      positions,
      chosen.subarray(first, first + count).map((id, r) => r * K + id),
    );
    visit(backend.view(x.block(), first * K, count * K), positions, first, count);
  }
}

/** y[r] = x[r, ids[r]] */
function pickInto(x: Tensor, ids: Tensor, y: Tensor, kernels: Kernels): void {
  eachStretch(x, ids, (stretch, positions, first, count) => {
    kernels.gather(stretch, positions, openScope().backend.view(y.block(), first, count), 1);
  });
}

/** x[r, ids[r]] += g[r] */
function addAt(x: Tensor, ids: Tensor, g: Block, kernels: Kernels): void {
  eachStretch(x, ids, (stretch, positions, first, count) => {
    kernels.scatterAdd(stretch, positions, openScope().backend.view(g, first, count), 1);
  });
}

/** x [N, K] and the class of each row [N]. */
type Reads = readonly [x: Tensor, ids: Tensor];

const pickOp: Op<NoAttributes, Reads> = {
  name: 'pick',
  shapes: ([x]) => [[x[0]]],
  forward: ({ inputs: [x, ids], outputs: [y], kernels }) => pickInto(x, ids, y, kernels),
  backward({ inputs: [x, ids], grads: [g], kernels }) {
    const dx = temporaryTensor(x.shape);
    kernels.fill(dx.block(), 0);
    addAt(dx, ids, g.block(), kernels);
    return [dx, null];
  },
};

const sparseCrossentropyOp: Op<NoAttributes, Reads> = {
  name: 'sparseCrossentropy',
  shapes: ([x]) => [[x[0]]],
  forward({ inputs: [x, ids], outputs: [y], kernels }) {
    const [N, K] = x.shape as [number, number];
    const logP = temporaryTensor([N, K]);
    kernels.softmax(x.block(), logP.block(), N, K, true);
    pickInto(logP, ids, y, kernels);
    kernels.unary('neg', y.block(), y.block());
    return logP;
  },
  // dx = g (softmax x - one-hot of the class)
  backward({ inputs: [x, ids], saved, grads: [g], kernels }) {
    const [N, K] = x.shape as [number, number];
    const dx = temporaryTensor([N, K]);
    const minusOne = openScope().backend.temporary(N);
    kernels.unary('exp', (saved as Tensor).block(), dx.block());
    kernels.fill(minusOne, -1);
    addAt(dx, ids, minusOne, kernels);
    kernels.binary('mul', dx.block(), [K, 1], g.block(), [1, 0], dx.block(), [N, K]);
    return [dx, null];
  },
};

export const pickOps = { pick: pickOp, sparseCrossentropy: sparseCrossentropyOp };

function checked(name: string, x: Tensor, classes: TensorLike): [Tensor, Tensor] {
  const ids = asTensor(classes);
  if (x.rank !== 2 || ids.rank !== 1 || ids.size !== x.shape[0]) {
    throw shapeError(
      `${name} takes rows [N, K] and a class for each, [N]; ` +
        `got ${formatShape(x.shape)} and ${formatShape(ids.shape)}.`,
      { x: x.shape, ids: ids.shape },
    );
  }
  const count = x.shape[1];
  const values = hostValues(ids, `${name}: the class of each row`);
  const wrong = values.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < count));
  if (wrong >= 0) {
    throw valueError(
      `${name}: the class of row ${wrong} must be one of ${count} classes (0 to ${count - 1}), got ${values[wrong]}.`,
      { id: values[wrong], row: wrong, classes: count },
    );
  }
  return [x, ids];
}

/**
 * The element x[r, ids[r]] of each row of x [N, K]: [N].
 * @throws UnrollError `value` for the first invalid class
 */
export function pick(x: Tensor, ids: TensorLike): Tensor {
  return apply1(pickOp, checked('pick', x, ids), NONE);
}

/**
 * -log softmax(x)[r, ids[r]] of each row of logits x [N, K]: [N], exact for logits of any size.
 * @throws UnrollError `value` for the first invalid class
 */
export function sparseCrossentropy(x: Tensor, ids: TensorLike): Tensor {
  return apply1(sparseCrossentropyOp, checked('sparseCrossentropy', x, ids), NONE);
}
