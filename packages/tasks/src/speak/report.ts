/** Writes the HTML report of a voice: curves, scores, alignments, spectrograms of synthesised and recorded speech, settings. */
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { heatMap } from '../shared/report/heat-map.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { spectrogram } from '../shared/report/spectrogram.js';
import { scoreTexts } from '../shared/scores.js';
import { planEvent } from './run-events.js';
import { scoreTable } from './scores.js';
import type { SpeakResult } from './speak.js';

/** Number of texts whose alignments and spectrograms are shown. */
const EXAMPLES = 3;
/** Largest number of characters of a text whose alignment is shown. */
const MAX_CHARACTERS = 80;

/** Returns the report as an HTML document. */
export function speakReport(result: SpeakResult, run: { backend: string; seconds: number }): string {
  const { plan, scores, spoken } = result;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const summary =
    `Mel-cepstral distortion ${scores.distortion.toFixed(2)} dB on ${spoken.length} validation texts; the durations differ from ` +
    `those of the recordings by ${percent(scores.durationError)} on average, and the decoder stopped by itself for ` +
    `${percent(scores.stopped)} of the texts.`;
  const source = `Trained on ${plan.training.texts.length} texts of ${baseName(plan.source)}.`;
  const [head, row] = scoreTexts(scoreTable(scores, spoken.length, plan.sizes.cell));
  return page({
    title: `Speech of ${plan.columns.text}`,
    lead: `<p>${escapeHtml(summary)}</p><p class="quiet">${escapeHtml(source)}</p>`,
    sections: [
      section('Training', trainingCurves([result.training])),
      section('Scores', table(head, [row])),
      section('Alignments', alignments(result)),
      section('Spectrograms', spectrograms(result)),
      section('Settings', factList(settingsOf(result, run))),
    ],
  });
}

/** Shows the characters to which the decoder attends at each step. */
function alignments({ plan, spoken }: SpeakResult): string {
  const examples = spoken
    .map((spectrogram, i) => ({ ...spectrogram, text: plan.validationTexts[i], ...plan.validation.texts[i] }))
    .filter(({ symbols }) => symbols.length <= MAX_CHARACTERS)
    .slice(0, EXAMPLES);
  if (examples.length === 0) return '<p>All texts are too long to show.</p>';
  const step = plan.sizes.reduction / plan.voice.frameRate;
  const maps = examples.map(({ alignment, symbols: columns, text }) => {
    const rows = alignment.map((_, t) => `${(t * step).toFixed(2)} s`);
    const values = alignment.map((weights) => weights.map((weight) => Math.min(1, weight)));
    const title = `Attention weights of the text "${text}"`;
    return `<p>${escapeHtml(text)}</p>${heatMap({ title, rows, columns, values })}`;
  });
  const lead =
    'Rows are the steps of the decoder, columns the characters of the text and its end. In a dark cell, the decoder attends to the ' +
    'character of the column. In a good alignment, the dark cells form one line from the first character to the last.';
  return `<p class="quiet">${lead}</p>${maps.join('')}`;
}

function spectrograms({ plan, spoken }: SpeakResult): string {
  const { voice, validation, validationTexts } = plan;
  const common = { width: voice.mels, frameRate: voice.frameRate };
  const parts = spoken.slice(0, EXAMPLES).map(({ values, length }, i) => {
    const caption = (kind: string): string => `${kind}: "${validationTexts[i]}"`;
    const recorded = validation.spectrograms[i];
    return (
      spectrogram({ ...common, values, length, caption: caption('speech of the model') }) +
      spectrogram({ ...common, ...recorded, caption: caption('recording') })
    );
  });
  const lead =
    'Low frequencies are at the bottom; a darker cell is louder, relative to the mean of its frequency.';
  return `<p class="quiet">${lead}</p>${parts.join('')}`;
}

function settingsOf(
  { plan, model, training }: SpeakResult,
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
