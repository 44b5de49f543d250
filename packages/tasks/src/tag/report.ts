/** Writes the HTML report of a tagger: curves, scores, mistakes, lengths and settings. */
import { spansOf } from '@unroll/data';
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import { goalName } from './goal.js';
import { planEvent } from './run-events.js';
import { summaryTable, typeTable } from './scores.js';
import type { TagRunResult } from './tag.js';
import { labelScheme } from './tags.js';

/** Number of mistakes to show. */
const MISTAKES = 20;
/** The table of scores shows at most this many types. */
const MAX_TYPES = 60;
/** Number of tokens to show before and after a mistake. */
const CONTEXT = 6;

/** Returns the report as an HTML document. */
export function tagReport(result: TagRunResult, run: { backend: string; seconds: number }): string {
  const { plan, scores } = result;
  const { goal } = plan;
  const isAccuracy = goalName(goal) === 'accuracy';
  const headline = isAccuracy
    ? `Accuracy ${percent(scores.accuracy)}, macro F1 ${percent(scores.f1)}`
    : scores.sentenceF1 !== null
      ? `F1 of the tag ${goal.positive} ${percent(scores.sentenceF1)} (mean over sentences), accuracy ${percent(scores.accuracy)}`
      : `F1 ${percent(scores.f1)}, precision ${percent(scores.precision)}, recall ${percent(scores.recall)}`;
  const lead =
    `<p>${escapeHtml(`${headline} on ${scores.sentences} validation sentences.`)}</p>` +
    `<p class="quiet">${escapeHtml(`Trained on ${plan.training.sentences.length} sentences of ${baseName(plan.source)}.`)}</p>`;
  const title = isAccuracy ? 'Validation accuracy' : 'Validation F1';
  const curve = { metric: goalName(goal), title, percent: true, isGoal: true };
  return page({
    title: `${baseName(plan.source)}: ${goal.scheme === 'none' ? 'tags' : 'entities'}`,
    lead,
    sections: [
      section('Training', trainingCurves(result.trainings, curve)),
      section(goal.scheme === 'none' ? 'Scores by tag' : 'Scores by type', scoreTables(result)),
      section('Most confident mistakes', mistakes(result)),
      section('Sentence lengths', lengths(result)),
      section('Settings', factList(settingsOf(result, run))),
    ],
  });
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function scoreTables({ scores, plan }: TagRunResult): string {
  const [summaryHead, ...summary] = scoreTexts(summaryTable(scores, plan.goal, plan.sizes.cell));
  const shortened = { ...scores, types: scores.types.slice(0, MAX_TYPES) };
  const [head, ...rows] = scoreTexts(typeTable(shortened, plan.goal));
  const hiddenCount = scores.types.length - shortened.types.length;
  const note = hiddenCount > 0 ? `<p class="quiet">${hiddenCount} more are not shown.</p>` : '';
  return `${table(summaryHead, summary)}${table(head, rows)}${note}`;
}

/** A wrong part of a sentence: the predicted tag or entity, and the tag or entities in the file. */
interface Mistake {
  /** Index of the sentence. */
  sentence: number;
  /** Index of the first token. */
  start: number;
  /** Index after the last token. */
  end: number;
  predicted: string;
  actual: string;
  probability: number;
}

/** Lists the wrong entities, or wrong tags, with the highest probabilities. */
function mistakes(result: TagRunResult): string {
  const found = mistakesOf(result).sort((a, b) => b.probability - a.probability);
  if (found.length === 0) return '<p>All validation sentences are tagged correctly.</p>';
  const rows = found.slice(0, MISTAKES).map(({ sentence, start, end, actual, predicted, probability }) => {
    const { tokens } = result.plan.validationSentences[sentence];
    const before = tokens.slice(Math.max(0, start - CONTEXT), start);
    const after = tokens.slice(end, end + CONTEXT);
    const text = [...before, `[${tokens.slice(start, end).join(' ')}]`, ...after].join(' ');
    return [text, actual, predicted, percent(probability)];
  });
  const what = result.plan.goal.scheme === 'none' ? 'tags' : 'predicted entities';
  return `<p>${found.length} ${what} are wrong.</p>${table(['text', 'in the file', 'predicted', 'probability'], rows)}`;
}

function mistakesOf({ plan, predictions }: TagRunResult): Mistake[] {
  const scheme = labelScheme(plan.goal.scheme);
  return plan.validationSentences.flatMap(({ tags: actual }, sentence) => {
    const { tags, probabilities = [] } = predictions[sentence];
    if (scheme === null) {
      return tags.flatMap((tag, i): Mistake[] =>
        tag === actual[i]
          ? []
          : [
              {
                sentence,
                start: i,
                end: i + 1,
                predicted: tag,
                actual: actual[i],
                probability: probabilities[i],
              },
            ],
      );
    }
    const spans = spansOf(actual, scheme);
    return spansOf(tags, scheme).flatMap(({ start, end, label }): Mistake[] => {
      const overlapping = spans.filter((span) => span.start < end && span.end > start);
      if (overlapping.some((span) => span.start === start && span.end === end && span.label === label))
        return [];
      const found = overlapping.map((span) => {
        const sameTokens = span.start === start && span.end === end;
        return sameTokens
          ? span.label
          : `${span.label}: ${plan.validationSentences[sentence].tokens.slice(span.start, span.end).join(' ')}`;
      });
      const probability = Math.min(...probabilities.slice(start, end));
      return [{ sentence, start, end, predicted: label, actual: found.join('; ') || 'none', probability }];
    });
  });
}

function lengths({ plan }: TagRunResult): string {
  const { lengths: summary } = plan;
  const { percentiles } = summary;
  return factList([
    ['Shortest, longest', `${summary.shortest}, ${summary.longest} tokens`],
    ['Mean', `${summary.mean.toFixed(1)} tokens`],
    [
      'Percentiles 50, 90, 95, 99',
      `${percentiles[50]}, ${percentiles[90]}, ${percentiles[95]}, ${percentiles[99]}`,
    ],
    ['Known words of validation sentences', percent(plan.coverage)],
  ]);
}

function settingsOf(
  { plan, model, offset }: TagRunResult,
  { backend, seconds }: { backend: string; seconds: number },
): [string, string][] {
  const { lines } = planEvent(plan);
  return [
    ...lines.map(({ label, text }): [string, string] => [label, text]),
    ...(offset === null ? [] : [['offset', String(offset.value)] satisfies [string, string]]),
    ['parameters', String(model.network.countParams())],
    ['seed', String(plan.settings.seed)],
    ['backend', backend],
    ['duration', `${seconds.toFixed(1)} s`],
  ];
}
