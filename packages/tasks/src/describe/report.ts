/** Writes the HTML report of a describer: curves, scores, key frames with attention, the worst descriptions and settings. */
import { sentenceChrf } from '@unroll/data';
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { heatMap } from '../shared/report/heat-map.js';
import { keyFrames, SHOWN_FRAMES } from '../shared/report/key-frames.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import { signatureNote } from '../translate/scores.js';
import type { DescribeResult } from './describe.js';
import { planEvent } from './run-events.js';
import { scoreTable } from './scores.js';

/** Number of clips that are shown with frames and attention, and the largest numbers of their tokens and frames. */
const EXAMPLES = 6;
const MAX_TOKENS = 24;
const MAX_FRAMES = 32;
/** Number of worst descriptions that are listed, and the number of characters to which their texts are cut. */
const SHOWN = 12;
const MAX_TEXT = 200;

/** Returns the report as an HTML document. */
export function describeReport(result: DescribeResult, run: { backend: string; seconds: number }): string {
  const { plan, scores, descriptions } = result;
  const share = `${(100 * scores.exactMatch).toFixed(1)} % of ${descriptions.length} descriptions of validation clips equal the reference`;
  return page({
    title: `Descriptions of ${plan.columns.frames}`,
    lead:
      `<p>${escapeHtml(`${share}, BLEU ${scores.bleu.toFixed(1)}.`)}</p>` +
      `<p class="quiet">${escapeHtml(`Trained on ${plan.training.clips.length} clips of ${baseName(plan.source)}.`)}</p>`,
    sections: [
      section('Training', trainingCurves([result.training])),
      section('Scores', scoreSection(result)),
      section('Key frames and attention', examples(result)),
      section('Worst descriptions', worst(result)),
      section('Settings', factList(settingsOf(result, run))),
    ],
  });
}

function scoreSection({ scores, descriptions, plan }: DescribeResult): string {
  const [head, row] = scoreTexts(scoreTable(scores, descriptions.length, plan.sizes.cell));
  return `${table(head, [row])}<p class="quiet">${escapeHtml(signatureNote(scores))}</p>`;
}

/** Shows the frames, the description and the attention weights of the first clips with different reference sentences. */
function examples({ plan, descriptions }: DescribeResult): string {
  const { frames, validation, validationTexts, validationNames } = plan;
  const shortEnough = [...descriptions.keys()].filter((i) => {
    const isNew = validationTexts.indexOf(validationTexts[i]) === i;
    const { tokens, frames: frameNumbers } = descriptions[i];
    return isNew && tokens.length <= MAX_TOKENS && frameNumbers.length <= MAX_FRAMES;
  });
  const parts = shortEnough.slice(0, EXAMPLES).map((i) => {
    const { text, tokens, frames: numbers, alignment } = descriptions[i];
    const caption = `${validationNames[i]}: ${text}${text === validationTexts[i] ? '' : ` (reference: ${validationTexts[i]})`}`;
    const map = heatMap({
      title: `Attention weights of "${text}"`,
      rows: tokens,
      columns: numbers.map(String),
      values: alignment,
    });
    return keyFrames({ ...frames.reportFrames(validation.clips[i], SHOWN_FRAMES), caption }) + map;
  });
  const lead =
    'Below the frames, rows are the words of the description and columns the numbers of the frames. In a dark cell, the decoder ' +
    'attends to the frame of the column when it writes the word of the row.';
  return parts.length === 0
    ? '<p>All clips or descriptions are too long to show.</p>'
    : `<p>${lead}</p>${parts.join('')}`;
}

/** Lists the descriptions with the lowest chrF. */
function worst({ descriptions, plan }: DescribeResult): string {
  const { validationTexts, validationNames, lowercase } = plan;
  const rated = descriptions
    .map(({ text }, i) => ({ i, score: sentenceChrf(text, validationTexts[i], { lowercase }).score }))
    .sort((a, b) => a.score - b.score)
    .slice(0, SHOWN);
  const rows = rated.map(({ i, score }) => [
    ...[validationNames[i], descriptions[i].text, validationTexts[i]].map(cut),
    score.toFixed(1),
  ]);
  return `<div class="texts">${table(['clip', 'description', 'reference', 'chrF'], rows)}</div>`;
}

const cut = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text);

function settingsOf(
  { plan, model, training }: DescribeResult,
  { backend, seconds }: { backend: string; seconds: number },
): [string, string][] {
  return [
    ...planEvent(plan).lines.map(({ label, text }): [string, string] => [label, text]),
    ['best epoch', `${training.bestEpoch} of ${training.history.length}`],
    ['parameters', String(model.network.countParams())],
    ['seed', String(plan.settings.seed)],
    ['backend', backend],
    ['duration', `${seconds.toFixed(1)} s`],
  ];
}
