/** Results of an epoch or of `evaluate`: running means of the losses, and metrics. */
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
   * Metrics, each a name, a name with options, or a metric object: a list for every output, or for several outputs
   * one list each. They respect masks but ignore weights, as in Keras.
   */
  metrics?: readonly MetricSpec[] | PerOutput<readonly MetricSpec[]>;
  /** Like `metrics`, but weighted by the sample weights. */
  weightedMetrics?: readonly MetricSpec[] | PerOutput<readonly MetricSpec[]>;
}

interface Watched {
  /** Name of the metric in the results. */
  name: string;
  metric: Metric;
  /** Index of the output among those with a loss. */
  output: number;
  weighted: boolean;
}

/** As JSON. */
export interface ScoresState {
  losses: readonly OutputLoss[];
  added: number;
  examples: number;
  metrics: readonly MetricState[];
}

/** The inputs of a metric for a batch: prediction, target, mask, weights. */
type Seen = [Tensor, Tensor, Tensor | null, Tensor | null];

export class Scores {
  readonly #objective: Objective;
  readonly #watched: readonly Watched[];
  /** For each metric. */
  #seen: Seen[] = [];
  #losses: OutputLoss[];
  #added = 0;
  #examples = 0;

  /** @param names of the model's outputs; null: it has one */
  constructor(objective: Objective, options: MetricOptions, names: readonly string[] | null) {
    this.#objective = objective;
    this.#watched = withNames(
      [
        ...resolveAll(options.metrics ?? [], objective, names).map((one) => ({ ...one, weighted: false })),
        ...resolveAll(options.weightedMetrics ?? [], objective, names).map((one) => ({
          ...one,
          weighted: true,
        })),
      ],
      objective,
    );
    this.#losses = objective.outputs.map(() => ({ loss: 0, count: 0 }));
  }

  /** Keeps the outputs and targets of a batch for the metrics. */
  collect(sequences: readonly MaskedSequence[], batch: PreparedBatch): void {
    this.#seen = this.#watched.map(({ output, weighted }) => {
      const { value: prediction, mask } = sequences[this.#objective.outputs[output].index];
      const target = asColumn(batch.targets[output], prediction.shape);
      return keep([prediction, target, mask, weighted ? (batch.weights[output] ?? null) : null]);
    });
  }

  /** Adds the losses of a batch to the means, and updates the metrics with it. */
  async add({ parts, added, examples }: LossValues): Promise<void> {
    if (this.#seen.length > 0) {
      const tensors = await toHost(this.#seen.flat());
      this.#watched.forEach(({ metric }, i) => {
        metric.update(...(tensors.slice(4 * i, 4 * i + 4) as Seen));
      });
      this.#seen = [];
    }
    parts.forEach(({ loss, count }, i) => {
      this.#losses[i].loss += loss * count;
      this.#losses[i].count += count;
    });
    this.#added += added * examples;
    this.#examples += examples;
  }

  reset(): void {
    for (const { metric } of this.#watched) metric.reset();
    this.#losses = this.#losses.map(() => ({ loss: 0, count: 0 }));
    this.#added = 0;
    this.#examples = 0;
  }

  /** The weighted sum of the outputs' mean losses, plus the terms that layers added. */
  get loss(): number {
    let total = this.#examples > 0 ? this.#added / this.#examples : 0;
    this.#objective.outputs.forEach(({ weight }, i) => {
      total += weight * mean(this.#losses[i]);
    });
    return total;
  }

  /** Metrics, and for several outputs the loss of each, `<output>Loss`. */
  get metrics(): MetricValues {
    const { outputs } = this.#objective;
    const losses =
      outputs.length > 1 ? outputs.map(({ name }, i) => [`${name}Loss`, mean(this.#losses[i])]) : [];
    return Object.fromEntries([
      ...losses,
      ...this.#watched.map(({ name, metric }) => [name, metric.result()]),
    ]);
  }

  /** The names of {@link metrics}. */
  get names(): string[] {
    const { outputs } = this.#objective;
    const losses = outputs.length > 1 ? outputs.map(({ name }) => `${name}Loss`) : [];
    return [...losses, ...this.#watched.map(({ name }) => name)];
  }

  get state(): ScoresState {
    return {
      losses: this.#losses.map((part) => ({ ...part })),
      added: this.#added,
      examples: this.#examples,
      metrics: this.#watched.map(({ metric }) => metric.state),
    };
  }

  set state({ losses, added, examples, metrics }) {
    this.#losses = losses.map((part) => ({ ...part }));
    this.#added = added;
    this.#examples = examples;
    this.#watched.forEach(({ metric }, i) => {
      if (metrics[i]) metric.state = metrics[i];
      else metric.reset();
    });
  }
}

function mean({ loss, count }: OutputLoss): number {
  return count > 0 ? loss / count : 0;
}

function resolveAll(
  specs: NonNullable<MetricOptions['metrics']>,
  objective: Objective,
  names: readonly string[] | null,
): { metric: Metric; output: number }[] {
  const lists: readonly (readonly MetricSpec[] | null)[] = isFlat(specs)
    ? objective.outputs.map(() => specs)
    : objective.outputs.map(({ index }) => byOutput('metrics', specs, names ?? ['output'])[index]);
  return lists.flatMap((list, output) =>
    (list ?? []).map((spec) => ({ metric: resolveMetric(spec), output })),
  );
}

function isFlat(specs: NonNullable<MetricOptions['metrics']>): specs is readonly MetricSpec[] {
  return Array.isArray(specs) && !specs.some((entry) => entry === null || Array.isArray(entry));
}

/**
 * Makes the names of metrics unique: prefixed by the output's name if there are several outputs, and numbered if
 * the name is taken.
 */
function withNames(watched: readonly Omit<Watched, 'name'>[], objective: Objective): Watched[] {
  const taken = new Set<string>();
  return watched.map((one) => {
    const own = one.metric.name;
    const output = objective.outputs[one.output].name;
    const plain = objective.outputs.length > 1 ? `${output}${own[0].toUpperCase()}${own.slice(1)}` : own;
    let name = plain;
    for (let n = 2; taken.has(name); n++) name = `${plain}${n}`;
    taken.add(name);
    return { ...one, name };
  });
}
