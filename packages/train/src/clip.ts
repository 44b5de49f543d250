/**
 * Gradient clipping, which limits the damage of exploding gradients in recurrent networks.
 *
 * Non-finite gradients are handled as in Keras 3: with `norm`, an infinite entry becomes NaN and the other entries of its
 * parameter become 0; with `globalNorm`, an infinite or NaN norm makes every gradient NaN; `value` clips infinities to the
 * limit and preserves NaN. The training loop stops at non-finite gradients before it clips.
 */
import { type FloatArray, scope, type Tensor, valueError } from '@unroll/core';
import {
  type Block,
  currentScope,
  type FlatBuffer,
  formatValue,
  temporaryTensor,
  valuesOf,
} from '@unroll/core/internal';
import { type Optimizer, type ParameterSlice, scalarBlock, scaleInPlace } from './optimizers/optimizer.js';

/** Exactly one of three kinds of clipping. */
export type Clip =
  /** Clips every entry to [-value, value]. */
  | { value: number }
  /** Scales down the gradient g of a parameter if the norm of g exceeds the limit: g · norm / max(‖g‖, norm). */
  | { norm: number }
  /** Scales down all gradients by one factor if their global norm exceeds the limit, which preserves their direction. */
  | { globalNorm: number };

const KINDS = ['value', 'norm', 'globalNorm'] as const;

/** Checks and returns `clip`. @throws UnrollError `value` unless it has exactly one limit, a number above 0 */
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
  const limits = Object.entries(clip).filter(([, limit]) => limit !== undefined && limit !== null);
  const [kind, limit] = limits[0] ?? [];
  if (limits.length !== 1 || !KINDS.includes(kind as (typeof KINDS)[number])) {
    throw valueError(
      `clip must be exactly one of { value }, { norm } and { globalNorm }, ` +
        `got { ${limits.map(([key]) => key).join(', ')} }.`,
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

/** Returns the sum of squares of each block, as one tensor. Requires an open scope. */
export function sumsOfSquares(blocks: readonly Block[]): Tensor {
  return reduceBlocks(['sumSquares'], blocks);
}

/** Returns one number per block and reduction: all reductions of the first block, then of the second, and so on. */
function reduceBlocks(ops: readonly ('sumSquares' | 'max' | 'min')[], blocks: readonly Block[]): Tensor {
  const { backend } = currentScope();
  const out = temporaryTensor([blocks.length * ops.length]);
  let index = 0;
  for (const x of blocks) {
    for (const op of ops) {
      const element = out.size === 1 ? out.block() : backend.view(out.block(), index++, 1);
      backend.kernels.reduce(op, x, element, 1);
    }
  }
  return out;
}

/**
 * Returns the clipping of a run: the option of the run or of its optimizer; null: none.
 * @throws UnrollError `value` if both are set, or if the run's option is invalid
 */
export function resolveClip(optimizer: Optimizer, runClip: Clip | null | undefined): Clip | null {
  const clip = checkClip(runClip ?? null);
  if (clip === null) return optimizer.clip ?? null;
  if (!optimizer.clip) return clip;
  throw valueError(`Set either clip or the clipping option of the optimizer ${optimizer.name}, not both.`, {
    clip,
    optimizer: optimizer.clip,
  });
}

/**
 * Returns the norms of blocks, computed from their sums of squares. In float32, squares of gradients above about 1e19 are
 * infinite; such blocks are divided by their largest absolute value and summed again.
 * @param blocks returns the blocks; called in a scope, and only if a sum is infinite
 */
export async function normsFromSquares(
  squares: FloatArray,
  blocks: () => readonly Block[],
): Promise<number[]> {
  const norms = Array.from(squares, Math.sqrt);
  if (!norms.includes(Number.POSITIVE_INFINITY)) return norms;
  const [extremes] = await valuesOf([scope(() => reduceBlocks(['max', 'min'], blocks()))]);
  const largest = norms.map((_, i) => maxAbs(extremes[2 * i], extremes[2 * i + 1]));
  const scaled = scope(() => sumsOfSquares(blocks().map((g, i) => divideBlock(g, largest[i]))));
  const [scaledSums] = await valuesOf([scaled]);
  return norms.map((norm, i) => {
    if (norm !== Number.POSITIVE_INFINITY) return norm;
    return Number.isFinite(largest[i]) ? largest[i] * Math.sqrt(scaledSums[i]) : largest[i];
  });
}

function divideBlock(g: Block, divisor: number): Block {
  const { backend } = currentScope();
  const out = backend.temporary(g.length);
  backend.kernels.binary({
    op: 'div',
    a: g,
    b: scalarBlock(backend.kernels, divisor),
    stridesB: [0],
    y: out,
  });
  return out;
}

/** Returns the largest absolute value of numbers with this maximum and minimum; NaN if either is NaN. */
function maxAbs(max: number, min: number): number {
  return Number.isNaN(max) || Number.isNaN(min) ? Number.NaN : Math.max(Math.abs(max), Math.abs(min));
}

/** All gradients in one buffer, and the slice of each parameter. */
export interface GradientBuffer {
  buffer: FlatBuffer;
  slices: readonly ParameterSlice[];
}

/** The result of {@link clipGradients}. */
export interface ClipResult {
  /** True if a gradient or norm exceeded the limit. */
  clipped: boolean;
  /** Factor by which the optimizer's kernel must multiply the gradients. */
  gScale: number;
}

/**
 * Clips gradients. `value` and `norm` change them in place. For `globalNorm`, the optimizer's kernel must multiply them by the
 * returned factor.
 * @param norm the norm of all gradients
 */
export async function clipGradients(
  clip: Clip | null,
  { buffer, slices }: GradientBuffer,
  norm: number,
): Promise<ClipResult> {
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
    const { kernels } = currentScope().backend;
    const g = buffer.block();
    kernels.binary({ op: 'min', a: g, b: scalarBlock(kernels, limit), stridesB: [0], y: g });
    kernels.binary({ op: 'max', a: g, b: scalarBlock(kernels, -limit), stridesB: [0], y: g });
  });
  return true;
}

async function clipByNorm(blocks: () => readonly Block[], limit: number): Promise<boolean> {
  const [squares] = await valuesOf([scope(() => sumsOfSquares(blocks()))]);
  const norms = await normsFromSquares(squares, blocks);
  if (norms.every((norm) => norm <= limit)) return false;
  scope(() => {
    const { kernels } = currentScope().backend;
    blocks().forEach((g, i) => {
      if (!(norms[i] <= limit)) scaleInPlace(kernels, g, limit / norms[i]);
    });
  });
  return true;
}
