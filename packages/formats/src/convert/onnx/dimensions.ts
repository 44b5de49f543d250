/**
 * Sizes that may be unknown until the model runs: products of a number and symbols (`2*batch`). The importer computes the
 * shape arithmetic of ONNX graphs (Shape, Gather, Mul, Concat, Reshape, ...) with such sizes.
 */
import { valueError } from '@unroll/core';

export interface Dimension {
  readonly factor: number;
  /** Names of symbols, sorted; a name that occurs twice is squared. */
  readonly symbols: readonly string[];
}

export const size = (factor: number): Dimension => ({ factor, symbols: [] });
export const symbol = (name: string): Dimension => ({ factor: 1, symbols: [name] });

/** Returns the size as a number; null if it is unknown. */
export function knownSize({ factor, symbols }: Dimension): number | null {
  return symbols.length === 0 || factor === 0 ? factor : null;
}

export function formatDimension({ factor, symbols }: Dimension): string {
  if (symbols.length === 0) return `${factor}`;
  return [...(factor === 1 ? [] : [`${factor}`]), ...symbols].join('*');
}

export function equalDimensions(a: Dimension, b: Dimension): boolean {
  return formatDimension(a) === formatDimension(b);
}

/** Largest number of symbols in a product. The expressions of a file may double in length with each node. */
const MAX_SYMBOLS = 16;
/** Largest length of the name of a symbol. */
const MAX_NAME = 400;

export function times(a: Dimension, b: Dimension): Dimension {
  if (a.factor === 0 || b.factor === 0) return size(0);
  if (a.symbols.length + b.symbols.length > MAX_SYMBOLS)
    throw valueError(`A size is a product of more than ${MAX_SYMBOLS} unknown sizes.`);
  return { factor: a.factor * b.factor, symbols: [...a.symbols, ...b.symbols].sort() };
}

export const product = (dimensions: readonly Dimension[]): Dimension => dimensions.reduce(times, size(1));

/** Returns a / b; null if the quotient is not a product of an integer and symbols. */
export function dividedBy(a: Dimension, b: Dimension): Dimension | null {
  const symbols = [...a.symbols];
  for (const name of b.symbols) {
    const at = symbols.indexOf(name);
    if (at < 0) return null;
    symbols.splice(at, 1);
  }
  const factor = a.factor / b.factor;
  return Number.isInteger(factor) ? { factor, symbols } : null;
}

/**
 * Returns the result of an operation on two sizes. If the result is unknown and has no simpler form, it is a new symbol, whose
 * name is the expression, such as `(steps+2)`.
 * @param name stands for the operation in the expression: `+`, `max`, ...
 */
export function computed(
  name: string,
  a: Dimension,
  b: Dimension,
  compute: (a: number, b: number) => number,
): Dimension {
  const [x, y] = [knownSize(a), knownSize(b)];
  if (x !== null && y !== null) return size(compute(x, y));
  if (a.symbols.join() === b.symbols.join() && (name === '+' || name === '-')) {
    const factor = compute(a.factor, b.factor);
    return factor === 0 ? size(0) : { factor, symbols: a.symbols };
  }
  if (name === '*') return times(a, b);
  if (y === 0 && (name === '+' || name === '-')) return a;
  if (x === 0 && name === '+') return b;
  if (name === '/') {
    const quotient = dividedBy(a, b);
    if (quotient) return quotient;
  }
  const expression = `(${formatDimension(a)}${name}${formatDimension(b)})`;
  if (expression.length <= MAX_NAME) return symbol(expression);
  throw valueError(`The expression of a size has more than ${MAX_NAME} characters.`);
}
