/**
 * Gradient clipping: keeps exploding gradients of a recurrent network from destroying its weights.
 *
 * Non-finite norms are handled as in Keras 3, which exposes the problem instead of hiding it: with `norm`, an
 * infinite entry becomes NaN and the other entries of its parameter 0; with `globalNorm`, an infinite or NaN norm
 * makes every gradient NaN; `value` clips infinities to the limit and preserves NaN. (The training loop stops at such
 * a gradient before clipping.)
 */
import { type FloatArray, scope, type Tensor, valueError } from '@unroll/core';
import {
  type Block,
  type FlatBuffer,
  openScope,
  formatValue,
  temporaryTensor,
  valuesOf,
} from '@unroll/core/internal';
import { type Optimizer, type ParameterSlice, scalarBlock, scaleInPlace } from './optimizers/optimizer.js';

/** Exactly one kind of clipping. */
export type Clip =
  /** Clips every entry to [-value, value]. */
  | { value: number }
  /** Scales the gradient of each parameter by its own norm: g · norm / max(‖g‖, norm). */
  | { norm: number }
  /** Scales all gradients by their common norm, which preserves the direction of the step. */
  | { globalNorm: number };

const KINDS = ['value', 'norm', 'globalNorm'] as const;

/** @throws UnrollError `value` unless there is exactly one limit, a number above 0 */
export function checkClip(clip: Clip | null): Clip | null {
  if (clip === null) return null;
  if (typeof clip !== 'object') {
    throw valueError(
      `clip must be exactly one of { value }, { norm } and { globalNorm }, got ${formatValue(clip)}.`,
      {
        clip,
      },
    );
  }
  const given = Object.entries(clip).filter(([, limit]) => limit !== undefined && limit !== null);
  const [kind, limit] = given[0] ?? [];
  if (given.length !== 1 || !KINDS.includes(kind as (typeof KINDS)[number])) {
    throw valueError(
      `clip must be exactly one of { value }, { norm } and { globalNorm }, ` +
        `got { ${given.map(([key]) => key).join(', ')} }.`,
      { clip },
    );
  }
  if (!(typeof limit === 'number' && limit > 0)) {
    throw valueError(
      `clip: ${kind} must be a number above 0, got ${formatValue(limit)}. Omit clip to disable clipping.`,
      {
        clip,
      },
    );
  }
  return clip;
}

/** The sum of squares of each block, as one tensor. Requires an open scope. */
export function sumsOfSquares(blocks: readonly Block[]): Tensor {
  return reduceBlocks(['sumSquares'], blocks);
}

/** All reductions of each block, side by side. */
function reduceBlocks(ops: readonly ('sumSquares' | 'max' | 'min')[], blocks: readonly Block[]): Tensor {
  const { backend } = openScope();
  const out = temporaryTensor([blocks.length * ops.length]);
  let at = 0;
  for (const x of blocks) {
    for (const op of ops) {
      const place = out.size === 1 ? out.block() : backend.view(out.block(), at++, 1);
      backend.kernels.reduce(op, x, place, 1, x.length, 1);
    }
  }
  return out;
}

/**
 * The clipping of a run: its own option, or that of its optimizer.
 * @throws UnrollError `value` if both are set, or if the run's option is invalid
 */
export function resolveClip(optimizer: Optimizer, own: Clip | null | undefined): Clip | null {
  const clip = checkClip(own ?? null);
  if (clip === null) return optimizer.clip ?? null;
  if (!optimizer.clip) return clip;
  throw valueError(`Set either clip or the clipping option of the optimizer ${optimizer.name}, not both.`, {
    clip,
    optimizer: optimizer.clip,
  });
}

/**
 * Computes the norms of blocks from their sums of squares without overflow. Squares of gradients beyond 1e19 overflow
 * float32.
 * @param blocks returns the blocks; called in a scope, and only if a sum is infinite
 */
export async function normsFromSquares(squares: FloatArray, blocks: () => readonly Block[]): Promise<number[]> {
  const norms = Array.from(squares, Math.sqrt);
  if (!norms.includes(Number.POSITIVE_INFINITY)) return norms;
  const [ends] = await valuesOf([scope(() => reduceBlocks(['max', 'min'], blocks()))]);
  const largest = norms.map((_, i) => maxAbs(ends[2 * i], ends[2 * i + 1]));
  const scaled = scope(() => sumsOfSquares(blocks().map((g, i) => divideBlock(g, largest[i]))));
  const [rest] = await valuesOf([scaled]);
  return norms.map((norm, i) => {
    if (norm !== Number.POSITIVE_INFINITY) return norm;
    return Number.isFinite(largest[i]) ? largest[i] * Math.sqrt(rest[i]) : largest[i];
  });
}

function divideBlock(g: Block, divisor: number): Block {
  const { backend } = openScope();
  const out = backend.temporary(g.length);
  backend.kernels.binary('div', g, [1], scalarBlock(backend.kernels, divisor), [0], out, [g.length]);
  return out;
}

function maxAbs(max: number, min: number): number {
  return Number.isNaN(max) || Number.isNaN(min) ? Number.NaN : Math.max(Math.abs(max), Math.abs(min));
}

/** All gradients in one buffer, and the slice of each parameter. */
export interface Gradients {
  buffer: FlatBuffer;
  slices: readonly ParameterSlice[];
}

export interface Clipped {
  /** True if anything exceeded the limit. */
  clipped: boolean;
  /** Factor that the optimizer's kernel applies to the gradients. */
  gScale: number;
}

/**
 * Clips gradients in place, or returns the factor for the optimizer's kernel.
 * @param norm the norm of all gradients
 */
export async function clipGradients(
  clip: Clip | null,
  { buffer, slices }: Gradients,
  norm: number,
): Promise<Clipped> {
  if (clip === null) return { clipped: false, gScale: 1 };
  if ('value' in clip) return { clipped: await clipByValue(buffer, clip.value), gScale: 1 };
  if ('norm' in clip) {
    const blocks = () => slices.map(({ offset, size }) => buffer.blockFor(offset, size));
    return { clipped: await clipByNorm(blocks, clip.norm), gScale: 1 };
  }
  if (norm <= clip.globalNorm) return { clipped: false, gScale: 1 };
  return { clipped: true, gScale: Number.isFinite(norm) ? clip.globalNorm / norm : Number.NaN };
}

async function clipByValue(buffer: FlatBuffer, limit: number): Promise<boolean> {
  const [[max, min]] = await valuesOf([scope(() => reduceBlocks(['max', 'min'], [buffer.block()]))]);
  if (max <= limit && min >= -limit) return false;
  scope(() => {
    const { kernels } = openScope().backend;
    const g = buffer.block();
    kernels.binary('min', g, [1], scalarBlock(kernels, limit), [0], g, [g.length]);
    kernels.binary('max', g, [1], scalarBlock(kernels, -limit), [0], g, [g.length]);
  });
  return true;
}

async function clipByNorm(blocks: () => readonly Block[], limit: number): Promise<boolean> {
  const [squares] = await valuesOf([scope(() => sumsOfSquares(blocks()))]);
  const norms = await normsFromSquares(squares, blocks);
  if (norms.every((norm) => norm <= limit)) return false;
  scope(() => {
    const { kernels } = openScope().backend;
    blocks().forEach((g, i) => {
      if (!(norms[i] <= limit)) scaleInPlace(kernels, g, limit / norms[i]);
    });
  });
  return true;
}
