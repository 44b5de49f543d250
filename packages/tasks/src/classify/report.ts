/** Creates the HTML report of a classifier: curves, scores, confusion matrix, mistakes, lengths and settings. */

import type { EncodedClip } from '../shared/frames/encoder.js';
import type { EncodedSound } from '../shared/front-end.js';
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { keyFrames, SHOWN_FRAMES } from '../shared/report/key-frames.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { spectrogram } from '../shared/report/spectrogram.js';
import { scoreTexts } from '../shared/scores.js';
import type { ClassifyResult } from './classify.js';
import type { ClipEncoder } from './clips.js';
import { argmax } from './model.js';
import { planEvent, unitOf } from './run-events.js';
import { classTable, confusionTable } from './scores.js';
import type { SoundEncoder } from './sounds.js';

const ACCURACY = { metric: 'accuracy', title: 'Validation accuracy', percent: true };
/** Maximum number of mistakes to show. */
const MISTAKES = 20;
/** The confusion matrix and the scores show at most this many labels. */
const MAX_LABELS = 40;
/** Maximum number of characters of a text to show. */
const MAX_TEXT = 160;

/** Returns the report as an HTML document. */
export function classifyReport(result: ClassifyResult, run: { backend: string; seconds: number }): string {
  const { plan, scores } = result;
  const title = `${plan.columns.label}: classification of ${plan.columns.input}`;
  const inputs = `${plan.encoder.kind}s`;
  const { accuracy, macroF1, microF1 } = scores;
  const isMultiLabel = microF1 !== undefined;
  const mainScore = isMultiLabel ? `Micro F1 ${percent(microF1)}` : `Accuracy ${percent(accuracy)}`;
  const summary = `${mainScore}, macro F1 ${percent(macroF1)} on ${plan.validationTexts.length} validation ${inputs}.`;
  const source = `Trained on ${plan.training.inputs.length} ${inputs} of ${baseName(plan.source)}.`;
  const lead = `<p>${escapeHtml(summary)}</p><p class="quiet">${escapeHtml(source)}</p>`;
  return page({
    title,
    lead,
    sections: [
      section('Training', trainingCurves(result.trainings, isMultiLabel ? undefined : ACCURACY)),
      section('Scores by label', scoreTables(result)),
      ...(isMultiLabel ? [] : [section('Most confident mistakes', mistakes(result))]),
      ...(plan.encoder.kind === 'sound' ? [section('Spectrograms', spectrograms(result, plan.encoder))] : []),
      ...(plan.encoder.kind === 'clip' ? [section('Key frames', clipExamples(result, plan.encoder))] : []),
      section(`${TITLES[plan.encoder.kind]} lengths`, lengths(result)),
      section('Settings', factList(settingsOf(result, run))),
    ],
  });
}

const TITLES = { text: 'Text', sequence: 'Sequence', sound: 'Sound', clip: 'Clip' };

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function scoreTables({ plan, scores }: ClassifyResult): string {
  const shortened = { ...scores, classes: scores.classes.slice(0, MAX_LABELS) };
  const confusion = {
    ...shortened,
    confusion: scores.confusion.slice(0, MAX_LABELS).map((row) => row.slice(0, MAX_LABELS)),
  };
  const [[head, ...rows], [confusionHead, ...confusionRows]] = [
    classTable(shortened, `${plan.encoder.kind}s`),
    confusionTable(confusion),
  ].map(scoreTexts);
  const hiddenCount = scores.classes.length - shortened.classes.length;
  const note = hiddenCount > 0 ? `<p class="quiet">${hiddenCount} more labels are not shown.</p>` : '';
  if (scores.confusion.length === 0) return table(head, rows) + note;
  return `${table(head, rows)}<h3>Confusion matrix</h3>${table(confusionHead, confusionRows)}${note}`;
}

/** Returns a table of the wrong predictions with the highest probabilities. */
function mistakes({ plan, probabilities }: ClassifyResult): string {
  const { labels, validation, validationTexts, encoder } = plan;
  const wrong = probabilities
    .map((p, i) => ({ i, predicted: argmax(p), score: Math.max(...p) }))
    .filter(({ i, predicted }) => predicted !== validation.classes[i][0])
    .sort((a, b) => b.score - a.score);
  if (wrong.length === 0) return `<p>All validation ${encoder.kind}s are classified correctly.</p>`;
  const rows = wrong.slice(0, MISTAKES).map(({ i, predicted, score }) => {
    const text = validationTexts[i];
    const excerpt = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
    return [excerpt, labels[validation.classes[i][0]], labels[predicted], percent(score)];
  });
  const count = `<p>${wrong.length} of ${validationTexts.length} validation ${encoder.kind}s are classified wrongly.</p>`;
  return `${count}${table([encoder.kind, 'label', 'predicted', 'probability'], rows)}`;
}

/** Maximum number of labels for which a sound or clip is shown. */
const MAX_EXAMPLES = 12;

/** Returns spectrograms of one validation sound for each label, with the prediction. */
function spectrograms({ plan, probabilities }: ClassifyResult, { frontEnd }: SoundEncoder): string {
  const { labels, validation, validationTexts } = plan;
  const width = frontEnd.config.means.length;
  const parts = labels.slice(0, MAX_EXAMPLES).flatMap((label, k) => {
    const i = validation.classes.findIndex((classes) => classes.includes(k));
    if (i < 0) return [];
    const { values, length } = validation.inputs[i] as EncodedSound;
    const best = argmax(probabilities[i]);
    const caption = `${label}: ${validationTexts[i]}, predicted ${labels[best]} (${percent(probabilities[i][best])})`;
    return [spectrogram({ values, width, length, frameRate: frontEnd.frameRate, caption })];
  });
  return `<p class="quiet">Low frequencies are at the bottom; a darker cell is louder, relative to the mean of its frequency.</p>${parts.join('')}`;
}

/** Returns frames of one validation clip for each label, with the prediction. */
function clipExamples({ plan, probabilities, model }: ClassifyResult, { frames }: ClipEncoder): string {
  const { labels, validation, validationTexts } = plan;
  const chosen = new Set<number>();
  for (const k of labels.slice(0, MAX_EXAMPLES).keys()) {
    const i = validation.classes.findIndex((classes, n) => classes.includes(k) && !chosen.has(n));
    if (i >= 0) chosen.add(i);
  }
  const parts = [...chosen].map((i) => {
    const actual = Array.from(validation.classes[i], (k) => labels[k]).join(', ');
    const predicted = model.labelsOf(probabilities[i]);
    const predictionText = predicted.map(({ label, score }) => `${label} (${percent(score)})`).join(', ');
    const caption = `${validationTexts[i]}: ${actual}, predicted ${predictionText || 'none'}`;
    return keyFrames({ ...frames.reportFrames(validation.inputs[i] as EncodedClip, SHOWN_FRAMES), caption });
  });
  return parts.join('');
}

function lengths({ plan }: ClassifyResult): string {
  const { lengths: summary, encoder, cut, coverage, training } = plan;
  const { percentiles } = summary;
  const unit = encoder.kind === 'text' ? 'tokens' : unitOf(plan);
  const rows: [string, string][] = [
    ['Shortest, longest', `${summary.shortest}, ${summary.longest} ${unit}`],
    ['Mean', `${summary.mean.toFixed(1)} ${unit}`],
    [
      'Percentiles 50, 90, 95, 99',
      `${percentiles[50]}, ${percentiles[90]}, ${percentiles[95]}, ${percentiles[99]}`,
    ],
  ];
  if (encoder.kind === 'text') {
    const count = `${cut} of ${training.inputs.length}`;
    rows.push(['Cut to', `${encoder.length} tokens (${count} training texts are longer)`]);
    rows.push(['Known tokens of validation texts', percent(coverage ?? 1)]);
  } else if (encoder.kind === 'sequence') rows.push(['Missing values', percent(plan.missing)]);
  return factList(rows);
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
