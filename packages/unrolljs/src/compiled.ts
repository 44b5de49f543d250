/** The compile options, saved in a model's artifact so that a loaded model can continue training. */
import type { Json } from '@unroll/core/internal';
import type { CompileOptions } from './trainable.js';

const SAVED_OPTIONS = [
  'optimizer',
  'loss',
  'lossWeights',
  'metrics',
  'weightedMetrics',
  'clip',
  'average',
] as const;

/** The options as JSON: losses, optimizers and metrics as their names and options. */
export function compiledToJson(options: CompileOptions): Record<string, unknown> {
  const entries = SAVED_OPTIONS.filter((key) => options[key] !== undefined).map(
    (key) => [key, plain(options[key])] as const,
  );
  return Object.fromEntries(entries);
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('name' in value && 'config' in value) return { name: value.name, ...(value.config as object) };
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** Restores the options from {@link compiledToJson}; null if the artifact has none. */
export function compiledFromJson(training: Json): CompileOptions | null {
  if (typeof training !== 'object' || training === null || Array.isArray(training)) return null;
  const { compiled } = training;
  if (typeof compiled !== 'object' || compiled === null || Array.isArray(compiled)) return null;
  return 'loss' in compiled ? ({ ...compiled } as unknown as CompileOptions) : null;
}
