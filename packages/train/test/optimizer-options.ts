/** Converts the options of Keras and PyTorch optimizers in the goldens to options of Unroll. */
import type { Clip, OptimizerName, OptimizerSpec } from '@unroll/train';

export interface GoldenOptions {
  optimizer: OptimizerName;
  source: 'keras' | 'pytorch';
  options: Record<string, unknown>;
}

/** Options that Unroll does not have, or that the tests set elsewhere: clipping, moving averages and accumulation. */
const IGNORED_OPTIONS = /^(amsgrad|clip|globalClip|useEma|ema|dampening|gradientAccumulation)/;

/**
 * Returns the optimizer of a golden.
 * @param parameters names of the parameters; the golden excludes parameters from weight decay by index
 */
export function optimizerOf(
  { optimizer, source, options }: GoldenOptions,
  parameters: readonly string[] = [],
): OptimizerSpec {
  const { learningRate, excludeFromWeightDecay = [], ...otherOptions } = options;
  const rate = learningRate as { schedule: string; options: Record<string, unknown> } | number;
  return {
    ...Object.fromEntries(Object.entries(otherOptions).filter(([name]) => !IGNORED_OPTIONS.test(name))),
    name: optimizer,
    learningRate: typeof rate === 'number' ? rate : { name: rate.schedule, ...rate.options },
    excludeFromWeightDecay: (excludeFromWeightDecay as number[]).map((i) => parameters[i]!),
    convention: source,
  };
}

export function clipOf({ options }: GoldenOptions): Clip | null {
  const value = options.clipValue ?? options.clipGradValue;
  const globalNorm = options.globalClipNorm ?? options.clipGradNorm;
  if (value) return { value: value as number };
  if (options.clipNorm) return { norm: options.clipNorm as number };
  return globalNorm ? { globalNorm: globalNorm as number } : null;
}
