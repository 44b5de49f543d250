/** Predictions on the examples that training does not use, in the form that fits the problem. */
import type { ComponentChildren } from 'preact';
import type { ProblemInfo, ProblemKind } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { Waiting } from '../ui/panel.js';
import { ClassPredictions } from './predict-classes.js';
import { NumberPredictions } from './predict-numbers.js';
import { SeriesPredictions } from './predict-series.js';
import { TokenPredictions } from './predict-tokens.js';

const KINDS: Readonly<Record<ProblemKind, (props: { problem: ProblemInfo }) => ComponentChildren>> = {
  number: NumberPredictions,
  series: SeriesPredictions,
  tokens: TokenPredictions,
  classes: ClassPredictions,
};

export function PredictionsView() {
  const problem = store.problem.value;
  if (!problem) return <Waiting />;
  const Kind = KINDS[problem.kind];
  return (
    <section class="view wide" aria-label={t('view_predictions')}>
      <Kind problem={problem} />
    </section>
  );
}
