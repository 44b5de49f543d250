/** Translates `compile_config` of Keras: loss, metrics and optimizer. */
import type { Json, JsonObject } from '@unroll/core/internal';
import type { ImportReport } from '../format.js';
import { classNameOf, isObject } from './json.js';
import { toCamel } from './names.js';

/** Unroll's losses, by Keras's name in snake_case. */
export const LOSSES: Readonly<Record<string, string>> = {
  mse: 'mse',
  mean_squared_error: 'mse',
  mae: 'mae',
  mean_absolute_error: 'mae',
  huber: 'huber',
  huber_loss: 'huber',
  log_cosh: 'logCosh',
  logcosh: 'logCosh',
  poisson: 'poisson',
  binary_crossentropy: 'binaryCrossentropy',
  categorical_crossentropy: 'categoricalCrossentropy',
  sparse_categorical_crossentropy: 'sparseCategoricalCrossentropy',
  binary_focal_crossentropy: 'binaryFocalCrossentropy',
  categorical_focal_crossentropy: 'categoricalFocalCrossentropy',
};

/** Unroll's metrics, by Keras's name in snake_case. */
export const METRICS: Readonly<Record<string, string>> = {
  accuracy: 'accuracy',
  acc: 'accuracy',
  binary_accuracy: 'binaryAccuracy',
  categorical_accuracy: 'categoricalAccuracy',
  sparse_categorical_accuracy: 'sparseCategoricalAccuracy',
  mse: 'mse',
  mean_squared_error: 'mse',
  mae: 'mae',
  mean_absolute_error: 'mae',
  root_mean_squared_error: 'rmse',
};

/** Options of Keras's losses, with their default values. */
const LOSS_OPTIONS: Readonly<Record<string, Json>> = {
  from_logits: false,
  label_smoothing: 0,
  delta: 1,
  gamma: 2,
  alpha: 0.25,
  ignore_class: null,
};

export interface CompileConfig {
  loss: unknown;
  metrics?: unknown;
  lossWeights?: unknown;
}

/** Returns loss and metrics in Unroll's names; null if the file has no loss or Unroll does not have it. */
export function compileFrom(training: Json, report: ImportReport): CompileConfig | null {
  if (!isObject(training) || training.loss === undefined || training.loss === null) return null;
  const loss = perOutput(training.loss, (entry) => lossFrom(entry, report));
  if (loss === undefined) {
    const reason =
      'Unroll has no such loss; predictions do not depend on it. Call compile with another loss to train';
    report.dropped.push({ name: `loss ${JSON.stringify(training.loss).slice(0, 80)}`, reason });
    return null;
  }
  const metrics = metricsFrom(training.metrics ?? null, report);
  const { loss_weights } = training;
  return {
    loss,
    ...(metrics !== undefined && { metrics }),
    ...(loss_weights !== undefined && loss_weights !== null && { lossWeights: loss_weights }),
  };
}

/** Converts a single entry, or each entry of a list or an object. Returns undefined if an entry cannot be converted. */
function perOutput(value: Json, convert: (entry: Json) => unknown): unknown {
  if (Array.isArray(value)) {
    const list = value.map(convert);
    return list.includes(undefined) ? undefined : list;
  }
  if (!isObject(value) || classNameOf(value)) return convert(value);
  const entries = Object.entries(value).map(([name, entry]) => [name, convert(entry)] as const);
  return entries.some(([, entry]) => entry === undefined) ? undefined : Object.fromEntries(entries);
}

/**
 * Returns the name in snake_case and the config of a loss, metric, optimizer or schedule, which the file gives as a name, a
 * serialised class or a serialised function; null for anything else.
 */
export function nameAndConfig(value: Json): { name: string; config: JsonObject } | null {
  if (typeof value === 'string') return { name: snake(value), config: {} };
  const className = classNameOf(value);
  if (!className || !isObject(value)) return null;
  if (typeof value.config === 'string') return { name: snake(value.config), config: {} };
  const config = isObject(value.config) ? value.config : {};
  // Wrappers of functions: { class_name: 'LossFunctionWrapper', config: { fn: 'mean_squared_error' } }
  const { fn } = config;
  const inner = typeof fn === 'string' ? fn : classNameOf(fn) && isObject(fn) ? fn.config : null;
  return { name: snake(typeof inner === 'string' ? inner : className), config };
}

const snake = (name: string): string =>
  name
    .slice(name.lastIndexOf('>') + 1)
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();

function lossFrom(value: Json, report: ImportReport): unknown {
  const found = nameAndConfig(value);
  if (!found || !Object.hasOwn(LOSSES, found.name)) return undefined;
  const name = LOSSES[found.name];
  const { config } = found;
  if (config.axis !== undefined && config.axis !== -1) return undefined;
  if (config.apply_class_balancing === true) return undefined;
  if (name === 'huber' && classNameOf(value) && config.delta === undefined)
    report.defaulted.push({
      name: 'delta of the loss huber',
      value: '1',
      reason: 'Keras 3 does not store it',
    });
  const options: JsonObject = {};
  for (const [key, fallback] of Object.entries(LOSS_OPTIONS)) {
    const option = config[key];
    if (option !== undefined && option !== fallback && option !== null) options[toCamel(key)] = option;
  }
  const { reduction } = config;
  if (reduction === 'sum' || reduction === 'none') options.reduction = reduction;
  if (reduction === 'mean') options.reduction = 'sumOverBatchSize';
  return Object.keys(options).length > 0 ? { name, ...options } : name;
}

/** Returns the metrics. Metrics that Unroll does not have are left out, because they do not change the model. */
function metricsFrom(value: Json, report: ImportReport): unknown {
  if (value === null) return undefined;
  const namesIn = (entry: Json): string[] => {
    if (entry === null) return [];
    if (Array.isArray(entry)) return entry.flatMap(namesIn);
    const found = nameAndConfig(entry);
    if (found && Object.hasOwn(METRICS, found.name)) return [METRICS[found.name]];
    report.dropped.push({
      name: `metric ${found?.name ?? JSON.stringify(entry).slice(0, 60)}`,
      reason: 'Unroll has no such metric; training does not depend on it',
    });
    return [];
  };
  if (isObject(value) && !classNameOf(value))
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, namesIn(entry)]));
  return Array.isArray(value) ? [...new Set(value.flatMap(namesIn))] : namesIn(value);
}
