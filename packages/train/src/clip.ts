/**
 * Gradient clipping: what keeps a recurrent network's exploding gradients from throwing its weights away.
 *
 * Norms that are not finite follow Keras 3, which lets the mistake show instead of hiding it: with `norm`, an
 * infinite entry becomes NaN and the others of its parameter 0; with `globalNorm` an infinite or NaN norm
 * makes every gradient NaN; `value` maps infinities to the limit and leaves NaN. (The training loop stops at
 * such a gradient before.)
 */
import { valueError } from '@unroll/core';
import type { Backend, Block, Kernels } from '@unroll/core/internal';
import { shown } from '@unroll/core/internal';
import { type Optimizer, type Place, scalarBlock, scaleInPlace } from './optimizers/optimizer.js';

/** Exactly one kind of clipping. */
export type Clip =
  /** Every entry is brought into [-value, value]. */
  | { value: number }
  /** The gradient of each parameter, by its own norm: g · norm / max(‖g‖, norm). */
  | { norm: number }
  /** All gradients together, by their common norm: the direction of the step stays. */
  | { globalNorm: number };

const KINDS = ['value', 'norm', 'globalNorm'] as const;

/** @throws UnrollError `value` unless it names exactly one limit, a number above 0 */
export function checkClip(clip: Clip | null): Clip | null {
  if (clip === null) return null;
  if (typeof clip !== 'object') {
    throw valueError(`clip is exactly one of { value }, { norm } and { globalNorm }, got ${shown(clip)}.`, {
      clip,
    });
  }
  const given = Object.entries(clip).filter(([, limit]) => limit !== undefined && limit !== null);
  const [kind, limit] = given[0] ?? [];
  if (given.length !== 1 || !KINDS.includes(kind as (typeof KINDS)[number])) {
    throw valueError(
      `clip is exactly one of { value }, { norm } and { globalNorm }, ` +
        `got { ${given.map(([key]) => key).join(', ')} }.`,
      { clip },
    );
  }
  if (!(typeof limit === 'number' && limit > 0)) {
    throw valueError(
      `clip: ${kind} is a number above 0, got ${shown(limit)}. Leave clip out to clip nothing.`,
      {
        clip,
      },
    );
  }
  return clip;
}

/**
 * The clipping of a run: its own, or its optimizer's.
 * @throws UnrollError `value` where both ask for one, or the run's is not allowed
 */
export function clipFor(optimizer: Optimizer, own: Clip | null | undefined): Clip | null {
  const clip = checkClip(own ?? null);
  if (clip === null) return optimizer.clip ?? null;
  if (!optimizer.clip) return clip;
  throw valueError(
    `Gradients are clipped once: give clip, or an option of the optimizer ${optimizer.name}, not both.`,
    { clip, optimizer: optimizer.clip },
  );
}

/**
 * The norm of a block's values, without overflow: the squares of gradients beyond 1e19 have no place in
 * float32.
 */
export function normOf(backend: Backend, g: Block): number {
  const { kernels } = backend;
  const reduced = (op: 'sumSquares' | 'max' | 'min', x: Block): number => {
    const out = backend.temporary(1);
    kernels.reduce(op, x, out, 1, x.length, 1);
    return backend.read(out)[0];
  };
  const squares = reduced('sumSquares', g);
  if (squares !== Number.POSITIVE_INFINITY) return Math.sqrt(squares);
  const largest = largestOf(reduced('max', g), reduced('min', g));
  if (!Number.isFinite(largest)) return largest;
  const scaled = backend.temporary(g.length);
  kernels.binary('div', g, [1], scalarBlock(kernels, largest), [0], scaled, [g.length]);
  return largest * Math.sqrt(reduced('sumSquares', scaled));
}

function largestOf(max: number, min: number): number {
  return Number.isNaN(max) || Number.isNaN(min) ? Number.NaN : Math.max(Math.abs(max), Math.abs(min));
}

/** All gradients in one block, and where each parameter's lie in it. */
export interface Gradients {
  backend: Backend;
  g: Block;
  places: readonly Place[];
}

export interface Clipped {
  /** Whether anything was above the limit. */
  clipped: boolean;
  /** Factor still to be put on the gradients: an optimizer's kernel does it on the way. */
  gScale: number;
}

/**
 * Clips gradients in place, or gives the factor for it.
 * @param norm the norm of all of them, as {@link normOf} gives it
 */
export function clipGradients(clip: Clip | null, { backend, g, places }: Gradients, norm: number): Clipped {
  const { kernels } = backend;
  if (clip === null) return { clipped: false, gScale: 1 };
  if ('value' in clip) return { clipped: clipByValue(backend, g, clip.value), gScale: 1 };
  if ('norm' in clip) {
    const clips = places.map(({ offset, size }) =>
      clipByNorm(
        kernels,
        backend.view(g, offset, size),
        normOf(backend, backend.view(g, offset, size)),
        clip.norm,
      ),
    );
    return { clipped: clips.includes(true), gScale: 1 };
  }
  if (norm <= clip.globalNorm) return { clipped: false, gScale: 1 };
  return { clipped: true, gScale: Number.isFinite(norm) ? clip.globalNorm / norm : Number.NaN };
}

function clipByValue(backend: Backend, g: Block, limit: number): boolean {
  const { kernels } = backend;
  const ends = backend.temporary(2);
  kernels.reduce('max', g, backend.view(ends, 0, 1), 1, g.length, 1);
  kernels.reduce('min', g, backend.view(ends, 1, 1), 1, g.length, 1);
  const [max, min] = backend.read(ends) as unknown as [number, number];
  if (max <= limit && min >= -limit) return false;
  kernels.binary('min', g, [1], scalarBlock(kernels, limit), [0], g, [g.length]);
  kernels.binary('max', g, [1], scalarBlock(kernels, -limit), [0], g, [g.length]);
  return true;
}

function clipByNorm(kernels: Kernels, g: Block, norm: number, limit: number): boolean {
  if (norm <= limit) return false;
  scaleInPlace(kernels, g, limit / norm);
  return true;
}
