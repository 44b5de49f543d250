/** Writes the HTML report of a translator: curves, scores, attention, the worst translations, lengths and settings. */
import { sentenceChrf } from '@unroll/data';
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { heatMap } from '../shared/report/heat-map.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import { TOKEN_NAMES } from './model.js';
import type { SideLengths } from './plan.js';
import { planEvent } from './run-events.js';
import { scoreTable, signatureNote } from './scores.js';
import type { TranslateResult } from './translate.js';

/** Number of translations whose attention weights are shown, and the largest numbers of their tokens. */
const EXAMPLES = 4;
const MAX_SOURCE_TOKENS = 24;
const MAX_TARGET_TOKENS = 24;
/** Number of worst translations that are listed. */
const SHOWN = 12;
/** Number of characters to which texts are cut. */
const MAX_TEXT = 200;

/** Returns the report as an HTML document. */
export function translateReport(result: TranslateResult, run: { backend: string; seconds: number }): string {
  const { plan, scores, scored } = result;
  const { columns } = plan;
  const title = columns === null ? 'Translation' : `Translation of ${columns.source} to ${columns.target}`;
  const numbers = `BLEU ${scores.bleu.toFixed(1)}, chrF ${scores.chrf.toFixed(1)} on ${scored.source.length} validation pairs.`;
  const origin = plan.origin.split(' and ').map(baseName).join(' and ');
  return page({
    title,
    lead:
      `<p>${escapeHtml(numbers)}</p>` +
      `<p class="quiet">${escapeHtml(`Trained on ${plan.training.source.length} pairs of ${origin}.`)}</p>`,
    sections: [
      section('Training', trainingCurves([result.training])),
      section('Scores', scoreSection(result)),
      section('Attention', attentionExamples(result)),
      section('Worst translations', worst(result)),
      section('Text lengths', lengthSection(result)),
      section('Settings', factList(settingsOf(result, run))),
    ],
  });
}

function scoreSection({ scores, scored, plan }: TranslateResult): string {
  const [head, row] = scoreTexts(scoreTable(scores, scored.source.length, plan.sizes.cell));
  const count = scored.source.length;
  const texts = count < plan.validation.source.length ? `The first ${count}` : 'All';
  const lead =
    `${texts} validation texts were translated with beam search. ROUGE is F1; the scores are 0 to 100. The perplexity ` +
    'is computed from the tokens of all validation targets.';
  return `<p>${lead}</p>${table(head, [row])}` + `<p class="quiet">${escapeHtml(signatureNote(scores))}</p>`;
}

/** Draws the attention weights of the first translations that are short enough. */
function attentionExamples({ translations, scored }: TranslateResult): string {
  const shortEnough = [...translations.keys()].filter((i) => {
    const { tokens, sourceTokens } = translations[i];
    const isNew = scored.source.indexOf(scored.source[i]) === i;
    return isNew && tokens.length <= MAX_TARGET_TOKENS && sourceTokens.length <= MAX_SOURCE_TOKENS;
  });
  if (shortEnough.length === 0) return '<p>All texts are too long to show.</p>';
  const examples = shortEnough.slice(0, EXAMPLES).map((i) => {
    const { tokens, sourceTokens, alignment, text } = translations[i];
    const title = `Attention weights of the translation "${text}"`;
    const [rows, columns] = [tokens, sourceTokens].map((list) => list.map(labelOf));
    const map = heatMap({ title, rows, columns, values: alignment });
    return `<p>${escapeHtml(cut(scored.source[i]))}<br>${escapeHtml(cut(text))}</p>${map}`;
  });
  const lead =
    'Rows are the tokens of the translation, columns the tokens of the source. In a dark cell, the decoder attends to the token of ' +
    'the column when it writes the token of the row.';
  return `<p>${lead}</p>${examples.join('')}`;
}

/** Returns a token without U+2581, which stands for a space. A token that consists only of U+2581 is unchanged. */
const labelOf = (token: string): string => token.replaceAll('\u2581', ' ').trim() || token;

/** Lists the translations with the lowest chrF. */
function worst({ translations, scored, plan }: TranslateResult): string {
  const rated = translations
    .map(({ text }, i) => ({
      i,
      score: sentenceChrf(text, scored.target[i], { lowercase: plan.lowercase }).score,
    }))
    .sort((a, b) => a.score - b.score)
    .slice(0, SHOWN);
  const rows = rated.map(({ i, score }) => [
    ...[scored.source[i], translations[i].text, scored.target[i]].map(cut),
    score.toFixed(1),
  ]);
  return `<div class="texts">${table(['source', 'translation', 'reference', 'chrF'], rows)}</div>`;
}

const cut = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text);

function lengthSection({ plan }: TranslateResult): string {
  const lengthCells = (
    name: string,
    { shortest, longest, mean, percentiles, cut: cutTexts }: SideLengths,
  ) => {
    const { 50: median, 90: p90, 95: p95, 99: p99 } = percentiles;
    return [name, String(shortest), String(median), mean.toFixed(1), String(p90), String(p95), String(p99), String(longest), String(cutTexts)]; // biome-ignore format: one line
  };
  const head = ['', 'shortest', 'median', 'mean', '90 %', '95 %', '99 %', 'longest', 'cut'];
  const rows = [lengthCells('source', plan.lengths.source), lengthCells('target', plan.lengths.target)];
  return `<p>Lengths of the training texts in ${TOKEN_NAMES[plan.level]}.</p>${table(head, rows)}`;
}

function settingsOf(
  { plan, model, training }: TranslateResult,
  { backend, seconds }: { backend: string; seconds: number },
): [string, string][] {
  const { lines } = planEvent(plan);
  return [
    ...lines.map(({ label, text }): [string, string] => [label, text]),
    ['best epoch', `${training.bestEpoch} of ${training.history.length}`],
    ['parameters', String(model.network.countParams())],
    ['seed', String(plan.settings.seed)],
    ['backend', backend],
    ['duration', `${seconds.toFixed(1)} s`],
  ];
}
