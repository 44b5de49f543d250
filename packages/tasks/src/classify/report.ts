/** Writes the HTML report of a classifier: curves, scores, confusion matrix, mistakes, lengths and settings. */
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import type { ClassifyResult } from './classify.js';
import { argmax } from './model.js';
import { planEvent } from './run-events.js';
import { classTable, confusionTable } from './scores.js';

const ACCURACY = { metric: 'accuracy', title: 'Validation accuracy', percent: true };
/** Number of mistakes to show. */
const MISTAKES = 20;
/** The confusion matrix and the scores show at most this many labels. */
const MAX_LABELS = 40;
/** Characters of a text to show. */
const MAX_TEXT = 160;

/** Returns the report as an HTML document. */
export function classifyReport(result: ClassifyResult, run: { backend: string; seconds: number }): string {
  const { plan, scores } = result;
  const title = `${plan.columns.label}: classification of ${plan.columns.text}`;
  const count = plan.validationTexts.length;
  const lead =
    `<p>${escapeHtml(`Accuracy ${percent(scores.accuracy)}, macro F1 ${percent(scores.macroF1)} on ${count} validation texts.`)}</p>` +
    `<p class="quiet">${escapeHtml(`Trained on ${plan.training.ids.length} texts of ${baseName(plan.source)}.`)}</p>`;
  return page({
    title,
    lead,
    sections: [
      section('Training', trainingCurves(result.trainings, ACCURACY)),
      section('Scores by label', scoreTables(result)),
      section('Most confident mistakes', mistakes(result)),
      section('Text lengths', lengths(result)),
      section('Settings', factList(settingsOf(result, run))),
    ],
  });
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function scoreTables({ scores }: ClassifyResult): string {
  const shown = { ...scores, classes: scores.classes.slice(0, MAX_LABELS) };
  const confusion = {
    ...shown,
    confusion: scores.confusion.slice(0, MAX_LABELS).map((row) => row.slice(0, MAX_LABELS)),
  };
  const [[head, ...rows], [confusionHead, ...confusionRows]] = [
    classTable(shown),
    confusionTable(confusion),
  ].map(scoreTexts);
  const rest = scores.classes.length - shown.classes.length;
  const note = rest > 0 ? `<p class="quiet">${rest} more labels are not shown.</p>` : '';
  return `${table(head, rows)}<h3>Confusion matrix</h3>${table(confusionHead, confusionRows)}${note}`;
}

/** Lists the wrong predictions with the highest probabilities. */
function mistakes({ plan, probabilities }: ClassifyResult): string {
  const { labels, validation, validationTexts } = plan;
  const wrong = probabilities
    .map((p, i) => ({ i, predicted: argmax(p), score: Math.max(...p) }))
    .filter(({ i, predicted }) => predicted !== validation.classes[i])
    .sort((a, b) => b.score - a.score);
  if (wrong.length === 0) return '<p>All validation texts are classified correctly.</p>';
  const rows = wrong.slice(0, MISTAKES).map(({ i, predicted, score }) => {
    const text = validationTexts[i];
    const shown = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
    return [shown, labels[validation.classes[i]], labels[predicted], percent(score)];
  });
  const count = `<p>${wrong.length} of ${validationTexts.length} validation texts are classified wrongly.</p>`;
  return `${count}${table(['text', 'label', 'predicted', 'probability'], rows)}`;
}

function lengths({ plan }: ClassifyResult): string {
  const { lengths: summary, encoder, cutTexts, tokenCounts } = plan;
  const { percentiles } = summary;
  const facts: [string, string][] = [
    ['Shortest, longest', `${summary.shortest}, ${summary.longest} tokens`],
    ['Mean', `${summary.mean.toFixed(1)} tokens`],
    [
      'Percentiles 50, 90, 95, 99',
      `${percentiles[50]}, ${percentiles[90]}, ${percentiles[95]}, ${percentiles[99]}`,
    ],
    ['Cut to', `${encoder.length} tokens (${cutTexts} of ${tokenCounts.length} training texts are longer)`],
    ['Known tokens of validation texts', percent(plan.coverage)],
  ];
  return factList(facts);
}

function settingsOf(
  { plan, model }: ClassifyResult,
  { backend, seconds }: { backend: string; seconds: number },
): [string, string][] {
  const { lines } = planEvent(plan);
  return [
    ...lines.map(({ label, text }): [string, string] => [label, text]),
    ['parameters', String(model.network.countParams())],
    ['seed', String(plan.settings.seed)],
    ['backend', backend],
    ['duration', `${seconds.toFixed(1)} s`],
  ];
}
