/** The options of Keras and PyTorch, as the goldens write them, in our words. */
import type { Clip, OptimizerName, OptimizerSpec } from '@unroll/train';

export interface GoldenOptions {
  optimizer: OptimizerName;
  source: 'keras' | 'pytorch';
  options: Record<string, unknown>;
}

/** Options that are no optimizer's here: clipping, averages and accumulation belong to the training. */
const FOREIGN = /^(amsgrad|clip|globalClip|useEma|ema|dampening|gradientAccumulation)/;

/** @param parameters names of the parameters, for those that the case excludes from decay by number */
export function optimizerOf(
  { optimizer, source, options }: GoldenOptions,
  parameters: readonly string[] = [],
): OptimizerSpec {
  const { learningRate, excludeFromWeightDecay = [], ...rest } = options;
  const rate = learningRate as { schedule: string; options: Record<string, unknown> } | number;
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([name]) => !FOREIGN.test(name))),
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
