/** Chooses the number of epochs by the validation loss. The validation rows are the last training rows before the backtest. */
import { quantile } from '@unroll/data';
import { type Callback, earlyStopping, type TrainEvent } from '@unroll/train';
import { stopAt } from '../shared/training.js';
import { type NetworkPlan, PanelEncoder } from './encoder.js';
import { type FittedNetwork, type NetworkOptions, networkTraining, type Split } from './network.js';
import type { Panel } from './panel.js';
import { warmUp } from './transform.js';

/** With one fold, the search stops after this many steps without a better validation loss, but after at least 3 and at most 10 epochs. */
const PATIENCE_STEPS = 1000;
const [MIN_PATIENCE, MAX_PATIENCE] = [3, 10];
/**
 * After only 3 epochs without a better loss, the search stops if the loss is above that of the first epoch and more than this
 * share above the best loss.
 */
const MAX_RISE = 0.03;
/** With more training pairs than this, one fold is enough. */
const ONE_FOLD_PAIRS = 2000;
/** Minimum number of training pairs of a fold. */
const MIN_PAIRS = 4;

/** Returns the number of validation rows of a fold: a fifth of the rows of a typical series, and at least one horizon. */
function validationRows(panel: Panel, plan: NetworkPlan, cut: number): number {
  const lengths = panel.series.map(({ offset }) => cut - offset).filter((length) => length > 0);
  return Math.max(plan.horizon, Math.round(quantile(Float64Array.from(lengths).sort(), 0.5) / 5));
}

/** Returns up to three rolling splits of the rows before grid index `cut`, the latest first; none if there are too few rows. */
export function validationFolds(panel: Panel, plan: NetworkPlan, cut: number): Required<Split>[] {
  const rows = validationRows(panel, plan, cut);
  const encoder = PanelEncoder.fit(panel, plan, cut);
  const maxFolds = encoder.countPairs(cut) > ONE_FOLD_PAIRS ? 1 : 3;
  const shift = Math.max(6, plan.horizon);
  return Array.from({ length: maxFolds }, (_, i) => ({
    cut: cut - i * shift - rows,
    validationEnd: cut - i * shift,
  })).filter(
    (fold) =>
      encoder.countPairs(fold.cut) >= MIN_PAIRS &&
      encoder.countPairs(fold.validationEnd, fold.cut) > 0 &&
      panel.series.some(({ offset }) => fold.cut - offset - plan.horizon >= warmUp(plan)),
  );
}

/** The number of epochs for later trainings of a network, and the network that the search has trained. */
export interface EpochChoice {
  epochs: number;
  /** With a single fold, the network of this fold, with its weights after `epochs` epochs; null otherwise. */
  network: FittedNetwork | null;
}

/**
 * Trains a network on each fold and measures the validation loss after every epoch. Chooses the number of epochs with the lowest
 * sum of validation losses over the folds. If there are too few rows for a fold, the number is a third of `maxEpochs`.
 * @param folds the splits of {@link validationFolds}
 * @param limits maximum number of epochs of a fold, and the time (of `performance.now`) by which the search must end; each
 * fold trains for at least one epoch
 */
export async function* searchEpochs(
  panel: Panel,
  plan: NetworkPlan,
  folds: readonly Required<Split>[],
  options: NetworkOptions,
  { maxEpochs, deadline }: { maxEpochs: number; deadline: number },
): AsyncGenerator<TrainEvent, EpochChoice, void> {
  if (folds.length === 0) return { epochs: Math.max(1, Math.round(maxEpochs / 3)), network: null };
  const losses: number[] = [];
  let compared = maxEpochs; // number of epochs that every fold has completed
  let onlyNetwork: FittedNetwork | null = null;
  for (const [f, fold] of folds.entries()) {
    const now = performance.now();
    const end = now + (deadline - now) / (folds.length - f);
    const { network, events } = networkTraining(panel, plan, fold, options, maxEpochs, (stepsPerEpoch) => [
      stopAt(end),
      ...(folds.length === 1 ? stopWithoutProgress(stepsPerEpoch, losses) : []),
    ]);
    let epoch = 0;
    for await (const event of events) {
      // The folds are reported as one training whose epochs are numbered consecutively.
      if (event.type === 'step' || event.type === 'epoch') {
        yield { ...event, epoch: event.epoch + f * maxEpochs, epochs: maxEpochs * folds.length };
      } else yield event;
      if (event.type !== 'epoch') continue;
      losses[epoch] = (losses[epoch] ?? 0) + event.validationLoss!;
      epoch++;
    }
    compared = Math.min(compared, epoch);
    if (folds.length === 1) onlyNetwork = network;
  }
  const comparable = losses.slice(0, compared);
  const epochs = comparable.indexOf(Math.min(...comparable)) + 1;
  return { epochs, network: onlyNetwork && { ...onlyNetwork, epochs } };
}

/**
 * Returns callbacks that stop the training when the validation loss no longer improves, and restore the weights of the best
 * epoch. The training stops earlier if the loss rises above that of the first epoch and clearly above the best one.
 * @param losses the validation losses of the earlier epochs
 */
function stopWithoutProgress(stepsPerEpoch: number, losses: readonly number[]): Callback[] {
  const patience = Math.min(MAX_PATIENCE, Math.ceil(PATIENCE_STEPS / stepsPerEpoch));
  return [
    earlyStopping({ monitor: 'validationLoss', patience: Math.max(MIN_PATIENCE, patience) }),
    {
      name: 'risingLoss',
      onEvent(event, run) {
        if (event.type !== 'epoch') return;
        const best = Math.min(...losses);
        const epochsSinceBest = losses.length - losses.indexOf(best);
        const limit = Math.max(losses[0], best + MAX_RISE * Math.abs(best));
        if (epochsSinceBest >= MIN_PATIENCE && (event.validationLoss ?? 0) > limit) run.stop();
      },
    },
  ];
}
