/** Writes the HTML report of a language model: curves, scores, a sample and settings. */
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import { TOKEN_NAMES } from './codec.js';
import type { LanguageModelResult } from './generate.js';
import { planEvent } from './run-events.js';
import { languageTable } from './scores.js';

/** Returns the report as an HTML document. @param sample a generated text */
export function languageModelReport(
  { plan, training, scores, model }: LanguageModelResult,
  sample: string,
  { backend, seconds }: { backend: string; seconds: number },
): string {
  const tokenName = TOKEN_NAMES[plan.codec.level];
  const source = baseName(plan.source);
  const lead =
    `<p>${scores.natsPerCharacter.toFixed(4)} nats (${scores.bitsPerCharacter.toFixed(4)} bits) per character and a perplexity of ` +
    `${scores.perplexity.toFixed(2)} per token on the validation text.</p>` +
    `<p class="quiet">${escapeHtml(`Trained on ${plan.training.ids.length} ${tokenName} of ${source}.`)}</p>`;
  const [head, ...rows] = scoreTexts(languageTable(scores, plan.sizes.cell));
  const settings: [string, string][] = [
    ...planEvent(plan).lines.map(({ label, text }): [string, string] => [label, text]),
    ['parameters', String(model.network.countParams())],
    ['seed', String(plan.settings.seed)],
    ['backend', backend],
    ['duration', `${seconds.toFixed(1)} s`],
  ];
  return page({
    title: `Language model of ${source}`,
    lead,
    sections: [
      section('Training', `<p>Losses are nats per token.</p>${trainingCurves([training])}`),
      section('Scores on the validation text', table(head, rows)),
      section('Sample', `<p>Generated with temperature 0.8:</p><pre>${escapeHtml(sample)}</pre>`),
      section('Settings', factList(settings)),
    ],
  });
}
