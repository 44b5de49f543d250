/** Converts compile options to and from JSON. Artifacts store them so that a loaded model can continue training. */
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

/** Converts the options to JSON. Losses, optimizers and metrics become their names and options. */
export function compileOptionsToJson(options: CompileOptions): Record<string, unknown> {
  const entries = SAVED_OPTIONS.filter((key) => options[key] !== undefined).map(
    (key) => [key, toJson(options[key])] as const,
  );
  return Object.fromEntries(entries);
}

function toJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  if ('name' in value && 'config' in value) return { name: value.name, ...(value.config as object) };
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toJson(entry)]));
}

/** Returns the options that {@link compileOptionsToJson} converted; null if the artifact has none. */
export function compileOptionsFromJson(training: Json): CompileOptions | null {
  if (typeof training !== 'object' || training === null || Array.isArray(training)) return null;
  const { compiled } = training;
  if (typeof compiled !== 'object' || compiled === null || Array.isArray(compiled)) return null;
  return 'loss' in compiled ? ({ ...compiled } as unknown as CompileOptions) : null;
}
