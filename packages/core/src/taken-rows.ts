/** Selects rows of data sets, which are tensors [N, ...] in host memory, such as the rows of a batch. */
import type { Block, FloatArray } from './backend.js';
import { valueError } from './errors.js';
import { currentScope, type ScopeState } from './runtime.js';
import { type Shape, sizeOf } from './shape.js';
import { hostTensor, hostValues, storage, Tensor } from './tensor.js';

/** Some rows of an array of rows. */
interface Selection {
  array: FloatArray;
  /** Length of a row. */
  width: number;
  /** The selected rows, in order. */
  rows: ArrayLike<number>;
  /** A copy of the rows; null until it is needed. */
  values: FloatArray | null;
  /** A copy in the memory of a backend, and the scope that owns it. */
  block: Block | null;
  scope: ScopeState | null;
}

/**
 * A host tensor of rows of a data set, whose array must not change any more. The rows are copied when they are needed, usually
 * directly to the memory of the backend: with an array for each batch, the garbage collector would run often.
 */
class RowsTensor extends Tensor {
  readonly #selection: Selection; // shared with reshaped tensors

  constructor(shape: Shape, selection: Selection) {
    super(shape, storage(null, null, null));
    this.#selection = selection;
  }

  override get hostArray(): FloatArray {
    const selection = this.#selection;
    if (selection.values === null) {
      const { array, width, rows } = selection;
      const values = new (array.constructor as new (length: number) => FloatArray)(rows.length * width);
      eachRow(selection, (row, at) => values.set(row, at));
      selection.values = values;
    }
    return selection.values;
  }

  override block(): Block {
    const selection = this.#selection;
    const scope = currentScope();
    if (selection.block !== null && selection.scope?.open && selection.scope.backend === scope.backend)
      return selection.block;
    const { backend } = scope;
    const block = backend.temporary(this.size);
    if (selection.values !== null) backend.write(block, selection.values);
    else eachRow(selection, (row, at) => backend.write(backend.view(block, at, row.length), row));
    selection.block = block;
    selection.scope = scope;
    return block;
  }

  override withShape(shape: Shape): Tensor {
    return new RowsTensor(shape, this.#selection);
  }

  override moveOut(): void {} // as for every host tensor, the values outlive all scopes
}

/** Calls `body` for each selected row, with the position of its first value among the values of all rows. */
function eachRow({ array, width, rows }: Selection, body: (row: FloatArray, at: number) => void): void {
  for (let i = 0; i < rows.length; i++)
    body(array.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
}

/** Rows of at most this length are copied at once: for each of them, creating a subarray would take longer than copying. */
const SHORT_ROW = 32;

/**
 * Returns a new tensor with the given rows of a host tensor [N, ...], in the given order. Long rows are copied when they are needed:
 * neither `rows` nor the values of `tensor` may change afterwards, and the result keeps all of these values in memory.
 * @throws UnrollError `value` if a row does not exist
 */
export function takeRows(tensor: Tensor, rows: ArrayLike<number>): Tensor {
  const values = hostValues(tensor, 'A data set');
  const shape = tensor.shape.slice(1);
  const width = sizeOf(shape);
  for (let i = 0; i < rows.length; i++)
    if (!(rows[i] >= 0 && rows[i] < tensor.shape[0] && (rows[i] + 1) * width <= values.length))
      throw valueError(`The data set has ${tensor.shape[0]} rows; there is no row ${rows[i]}.`);
  if (width > SHORT_ROW) {
    const selection = { array: values, width, rows, values: null, block: null, scope: null };
    return new RowsTensor([rows.length, ...shape], selection);
  }
  const out = new (values.constructor as new (length: number) => FloatArray)(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const start = rows[i] * width;
    for (let j = 0; j < width; j++) out[i * width + j] = values[start + j];
  }
  return hostTensor(out, [rows.length, ...shape]);
}
