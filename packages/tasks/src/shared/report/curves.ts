/** Draws the losses and a validation metric of each network of a run, by epoch. */
import type { EpochRecord, NetworkTraining } from '../training.js';
import { chart, legendSample } from './chart.js';

/** The metric that is drawn in addition to the losses. */
export interface CurveMetric {
  /** Name of the metric in `validationMetrics`. */
  metric: string;
  /** Heading, such as `Validation accuracy`. */
  title: string;
  /** Whether the metric is a fraction that is drawn in percent. Default false. */
  percent?: boolean;
  /** Whether the best epoch is the epoch with the highest value of this metric. Default false: the epoch with the lowest validation loss. */
  isGoal?: boolean;
}

/**
 * Returns the curves of all networks as HTML.
 * @param curve the metric to draw. Default: only the losses
 */
export function trainingCurves(trainings: readonly NetworkTraining[], curve?: CurveMetric): string {
  const legend = [
    ['actual', 'training loss'],
    ['forecast', 'validation loss'],
  ].map(([kind, text]) => `<span>${legendSample(kind)}${text}</span>`);
  const linesOf = (kind: string, value: (epoch: EpochRecord) => number) =>
    trainings.map(({ history }) => ({ kind, from: 0, values: history.map(value) }));
  const common = { bands: [], dividers: [], label: (row: number) => `epoch ${Math.round(row) + 1}` };
  const losses = [
    ...linesOf('actual', ({ loss }) => loss),
    ...linesOf('forecast', ({ validationLoss }) => validationLoss),
  ];
  const best = trainings
    .map(({ bestEpoch, history }) => `epoch ${bestEpoch} of ${history.length}`)
    .join(', ');
  const goal = curve?.isGoal
    ? `highest ${curve.title[0].toLowerCase()}${curve.title.slice(1)}`
    : 'lowest validation loss';
  const lossCurves =
    `<p>Each network has the weights of its epoch with the ${goal}: ${best}.</p>` +
    `<p class="legend">${legend.join('')}</p>${chart({ title: 'Loss by epoch', lines: losses, ...common, fromZero: true })}`;
  if (curve === undefined) return lossCurves;
  const { metric, title, percent = false } = curve;
  const scale = percent ? 100 : 1;
  const lines = linesOf(
    'forecast',
    ({ validationMetrics }) => scale * (validationMetrics[metric] ?? Number.NaN),
  );
  const heading = percent ? `${title} (percent)` : title;
  const label = `${title} by epoch${percent ? ' in percent' : ''}`;
  return `${lossCurves}<h3>${heading}</h3>${chart({ title: label, lines, ...common })}`;
}
