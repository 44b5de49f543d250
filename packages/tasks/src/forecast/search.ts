/** Chooses the number of epochs on validation rows at the end of the training rows, never on the backtest rows. */
import type { TrainEvent } from '@unroll/train';
import { type NetworkPlan, PanelEncoder } from './encoder.js';
import { fitNetwork, type NetworkOptions, type Split } from './network.js';
import type { Panel } from './panel.js';
import { warmUp } from './transform.js';

/** Early stopping of a search over one fold: steps without a better validation loss, clamped to 3 to 10 epochs. */
const PATIENCE_STEPS = 1000;
/** With more pairs than this, one fold is enough. */
const MANY_PAIRS = 2000;
/** Least training pairs of a fold. */
const LEAST_PAIRS = 4;

/** Validation rows of a fold. */
function validationRows(plan: NetworkPlan, start: number, cut: number): number {
  return Math.max(plan.horizon, Math.round((cut - start) / 5));
}

/** Up to three rolling splits of the rows before grid index `cut`, latest first; none if there are too few rows. */
export function validationFolds(panel: Panel, plan: NetworkPlan, cut: number): Required<Split>[] {
  const start = Math.min(...panel.series.map(({ offset }) => offset));
  const rows = validationRows(plan, start, cut);
  const encoder = PanelEncoder.fit(panel, plan, cut);
  const most = encoder.countPairs(cut) > MANY_PAIRS ? 1 : 3;
  const shift = Math.max(6, plan.horizon);
  return Array.from({ length: most }, (_, i) => ({
    cut: cut - i * shift - rows,
    validationEnd: cut - i * shift,
  })).filter(
    (fold) =>
      encoder.countPairs(fold.cut) >= LEAST_PAIRS &&
      panel.series.some(({ offset }) => fold.cut - offset - plan.horizon >= warmUp(plan)),
  );
}

/**
 * The number of epochs to train for: trains on the earlier rows of each fold, measures the loss on its validation pairs, and
 * returns the epoch with the lowest sum of validation losses. Without folds, returns a third of `most`.
 */
export async function* searchEpochs(
  panel: Panel,
  plan: NetworkPlan,
  cut: number,
  options: NetworkOptions,
  most: number,
): AsyncGenerator<TrainEvent, number, void> {
  const folds = validationFolds(panel, plan, cut);
  if (folds.length === 0) return Math.max(1, Math.round(most / 3));
  const losses: number[] = [];
  for (const [f, fold] of folds.entries()) {
    let epoch = 0;
    let steps = 1;
    for await (const event of fitNetwork(panel, plan, fold, options, most)) {
      // Reported as one training: the epochs of the folds one after another.
      if (event.type === 'step' || event.type === 'epoch') {
        yield { ...event, epoch: event.epoch + f * most, epochs: most * folds.length };
      } else yield event;
      if (event.type === 'step') steps = event.step;
      if (event.type !== 'epoch') continue;
      losses[epoch] = (losses[epoch] ?? 0) + event.validationLoss!;
      epoch++;
      const patience = Math.max(3, Math.min(10, Math.ceil(PATIENCE_STEPS / steps)));
      if (folds.length === 1 && epoch - losses.indexOf(Math.min(...losses)) > patience) break;
    }
  }
  return losses.indexOf(Math.min(...losses)) + 1;
}
