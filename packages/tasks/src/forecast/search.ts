/** How long to train: found on rows of the training part that are held out, never on the rows of the backtest. */
import type { TrainEvent } from '@unroll/train';
import { type NetworkPlan, PanelEncoder } from './encoder.js';
import { fitNetwork, type NetworkOptions, type Split } from './network.js';
import type { Panel } from './panel.js';
import { warmUp } from './transform.js';

/** Steps without a better validation loss after which a search over one fold ends, if they make three to ten passes. */
const PATIENCE_STEPS = 1000;
/** With more pairs than this, one fold tells enough. */
const MANY_PAIRS = 2000;
/** A fold with fewer pairs to train on tells nothing. */
const LEAST_PAIRS = 4;

/** Rows at the end of the training part that a fold holds out. */
function heldRows(plan: NetworkPlan, start: number, cut: number): number {
  return Math.max(plan.horizon, Math.round((cut - start) / 5));
}

/** Up to three rolling splits of the rows before grid place `cut`, the latest first; none where there are too few. */
export function validationFolds(panel: Panel, plan: NetworkPlan, cut: number): Required<Split>[] {
  const start = Math.min(...panel.series.map(({ offset }) => offset));
  const held = heldRows(plan, start, cut);
  const encoder = PanelEncoder.fit(panel, plan, cut);
  const most = encoder.countPairs(cut) > MANY_PAIRS ? 1 : 3;
  const shift = Math.max(6, plan.horizon);
  return Array.from({ length: most }, (_, i) => ({
    cut: cut - i * shift - held,
    heldTo: cut - i * shift,
  })).filter(
    (fold) =>
      encoder.countPairs(fold.cut) >= LEAST_PAIRS &&
      panel.series.some(({ offset }) => fold.cut - offset - plan.horizon >= warmUp(plan)),
  );
}

/**
 * How many passes to train for: on each fold trains on the earlier rows, measures the loss on pairs whose targets lie in
 * the held rows, and takes the pass at which the sum of these losses is least. Where there are too few rows for a fold, a
 * third of `most`.
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
      // Told as one long training: passes of the folds one after another.
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
