/** Accumulates the losses and metrics of an epoch or of `evaluate`. */
import { keep, type MaskedSequence, type Tensor } from '@unroll/core';
import { toHost } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import type { MetricValues } from './events.js';
import type { Metric, MetricState } from './metrics/metric.js';
import { type MetricSpec, resolveMetric } from './metrics.js';
import {
  asColumn,
  byOutput,
  type LossValues,
  type Objective,
  type OutputLoss,
  type PerOutput,
} from './objective.js';

export interface MetricOptions {
  /**
   * A list of metrics for all outputs or, if the model has several outputs, one list for each. A metric is a name, a
   * name with options, or a metric object. As in Keras, masked steps are excluded and sample weights are ignored.
   */
  metrics?: readonly MetricSpec[] | PerOutput<readonly MetricSpec[]>;
  /** Like `metrics`, but weighted by the sample weights. */
  weightedMetrics?: readonly MetricSpec[] | PerOutput<readonly MetricSpec[]>;
}

interface OutputMetric {
  /** Name of the metric in the results. */
  name: string;
  metric: Metric;
  /** Index of the output among the outputs with a loss. */
  output: number;
  /** True if the metric is weighted by the sample weights. */
  weighted: boolean;
}

/** The accumulated losses and metrics, as JSON. */
export interface ScoresState {
  losses: readonly OutputLoss[];
  /** Sum of the loss terms that layers added, each multiplied by the number of examples in the batch. */
  added: number;
  examples: number;
  metrics: readonly MetricState[];
}

/** The inputs of a metric for a batch. */
type MetricInputs = [prediction: Tensor, target: Tensor, mask: Tensor | null, weights: Tensor | null];

export class Scores {
  readonly #objective: Objective;
  readonly #metrics: readonly OutputMetric[];
  /** The inputs of each metric for the current batch. */
  #inputs: MetricInputs[] = [];
  #losses: OutputLoss[];
  #added = 0;
  #examples = 0;

  /** @param names the names of the model's outputs; null if the model has a single output */
  constructor(objective: Objective, options: MetricOptions, names: readonly string[] | null) {
    this.#objective = objective;
    this.#metrics = nameMetrics(
      [
        ...resolveMetrics('metrics', options.metrics ?? [], objective, names).map((entry) => ({
          ...entry,
          weighted: false,
        })),
        ...resolveMetrics('weightedMetrics', options.weightedMetrics ?? [], objective, names).map(
          (entry) => ({
            ...entry,
            weighted: true,
          }),
        ),
      ],
      objective,
    );
    this.#losses = objective.outputs.map(() => ({ loss: 0, count: 0 }));
  }

  /** Stores the outputs and targets of a batch for the metrics, which {@link add} updates. */
  collect(sequences: readonly MaskedSequence[], batch: PreparedBatch): void {
    this.#inputs = this.#metrics.map(({ metric, output, weighted }) => {
      const { value: prediction, mask } = sequences[this.#objective.outputs[output].index];
      const target = asColumn(batch.targets[output], prediction.shape);
      const prepared = metric.prepare?.(prediction) ?? prediction;
      return keep([prepared, target, mask, weighted ? (batch.weights[output] ?? null) : null]);
    });
  }

  /** Adds the losses of a batch to the means, and updates the metrics. */
  async add({ parts, added, examples }: LossValues): Promise<void> {
    if (this.#inputs.length > 0) {
      const tensors = await toHost(this.#inputs.flat());
      this.#metrics.forEach(({ metric }, i) => {
        metric.update(...(tensors.slice(4 * i, 4 * i + 4) as MetricInputs));
      });
      this.#inputs = [];
    }
    parts.forEach(({ loss, count }, i) => {
      this.#losses[i].loss += loss * count;
      this.#losses[i].count += count;
    });
    this.#added += added * examples;
    this.#examples += examples;
  }

  /** Resets losses and metrics, for the next epoch. */
  reset(): void {
    for (const { metric } of this.#metrics) metric.reset();
    this.#losses = this.#losses.map(() => ({ loss: 0, count: 0 }));
    this.#added = 0;
    this.#examples = 0;
  }

  /** The weighted sum of the outputs' mean losses, plus the mean of the loss terms that layers added. */
  get loss(): number {
    let total = this.#examples > 0 ? this.#added / this.#examples : 0;
    this.#objective.outputs.forEach(({ weight }, i) => {
      total += weight * mean(this.#losses[i]);
    });
    return total;
  }

  /** The metrics by name and, if there are several outputs, the loss of each output as `<output>Loss`. */
  get metrics(): MetricValues {
    const { outputs } = this.#objective;
    const losses =
      outputs.length > 1 ? outputs.map(({ name }, i) => [`${name}Loss`, mean(this.#losses[i])]) : [];
    return Object.fromEntries([
      ...losses,
      ...this.#metrics.map(({ name, metric }) => [name, metric.result()]),
    ]);
  }

  /** The names of the values in {@link metrics}. */
  get names(): string[] {
    const { outputs } = this.#objective;
    const losses = outputs.length > 1 ? outputs.map(({ name }) => `${name}Loss`) : [];
    return [...losses, ...this.#metrics.map(({ name }) => name)];
  }

  get state(): ScoresState {
    return {
      losses: this.#losses.map((part) => ({ ...part })),
      added: this.#added,
      examples: this.#examples,
      metrics: this.#metrics.map(({ metric }) => metric.state),
    };
  }

  set state({ losses, added, examples, metrics }) {
    this.#losses = losses.map((part) => ({ ...part }));
    this.#added = added;
    this.#examples = examples;
    this.#metrics.forEach(({ metric }, i) => {
      if (metrics[i]) metric.state = metrics[i];
      else metric.reset();
    });
  }
}

function mean({ loss, count }: OutputLoss): number {
  return count > 0 ? loss / count : 0;
}

/** Returns the metrics of an option, each with its output. */
function resolveMetrics(
  option: 'metrics' | 'weightedMetrics',
  specs: NonNullable<MetricOptions['metrics']>,
  objective: Objective,
  names: readonly string[] | null,
): { metric: Metric; output: number }[] {
  const lists: readonly (readonly MetricSpec[] | null)[] = isOneList(specs)
    ? objective.outputs.map(() => specs)
    : objective.outputs.map(({ index }) => byOutput(option, specs, names ?? ['output'])[index]);
  return lists.flatMap((list, output) =>
    (list ?? []).map((spec) => ({ metric: resolveMetric(spec), output })),
  );
}

/** Returns true for one list of metrics, which applies to all outputs. */
function isOneList(specs: NonNullable<MetricOptions['metrics']>): specs is readonly MetricSpec[] {
  return Array.isArray(specs) && !specs.some((entry) => entry === null || Array.isArray(entry));
}

/**
 * Gives each metric a unique name. If there are several outputs, the output's name is the prefix. If the name is taken, a
 * number is appended.
 */
function nameMetrics(metrics: readonly Omit<OutputMetric, 'name'>[], objective: Objective): OutputMetric[] {
  const taken = new Set<string>();
  return metrics.map((entry) => {
    const metric = entry.metric.name;
    const output = objective.outputs[entry.output].name;
    const base =
      objective.outputs.length > 1 ? `${output}${metric[0].toUpperCase()}${metric.slice(1)}` : metric;
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base}${n}`;
    taken.add(name);
    return { ...entry, name };
  });
}
