/**
 * Errors with data. Every intentional error of Unroll is an `UnrollError`: `code` is its kind, `data` contains the
 * shapes, names and values in the message, and the message ends with what to do next.
 */

/** Machine-readable kinds of {@link UnrollError}. */
export type ErrorCode =
  | 'shape' // sizes that do not fit each other
  | 'value' // an argument that is not allowed
  | 'scope' // a tensor used after its step has ended
  | 'gradient' // a gradient that cannot be computed
  | 'backend' // a backend that is missing or not ready
  | 'memory' // linear memory exhausted
  | 'state' // an object used in the wrong order
  | 'nan' // a number that is not finite
  | 'data' // a problem in the user's data
  | 'format'; // a file that cannot be read

export class UnrollError extends Error {
  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, data: Record<string, unknown> = {}) {
    super(message);
    this.name = 'UnrollError';
    this.code = code;
    this.data = data;
  }
}

/** An error about shapes: `message` gives the expected and the actual shape. */
export function shapeError(message: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('shape', message, data);
}

/** An error about a value that is not allowed. */
export function valueError(message: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('value', message, data);
}

/** `[2, 3]` for messages. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
