/**
 * The error class of Unroll. Every intentional error is an `UnrollError`: `code` is its kind, and `data` contains the
 * shapes, names and values that the message mentions.
 */

/** The kinds of {@link UnrollError}. */
export type ErrorCode =
  | 'shape' // shapes that do not match
  | 'value' // an invalid argument
  | 'scope' // a tensor used after its scope has ended, or an asynchronous function in a scope
  | 'gradient' // a gradient that cannot be computed
  | 'backend' // a backend that is missing or not ready
  | 'memory' // out of memory
  | 'state' // a method called in the wrong order
  | 'nan' // NaN or infinity
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

/** Creates an error about shapes. `message` contains the expected and the actual shape. */
export function shapeError(message: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('shape', message, data);
}

/** Creates an error about an invalid value. */
export function valueError(message: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('value', message, data);
}

/** Formats a shape for messages, such as `[2, 3]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
