/** Writes the HTML report of a transcriber: curves, scores, spectrograms with words, the worst transcripts and settings. */
import { wordErrorRate } from '@unroll/data';
import { escapeHtml } from '../shared/report/chart.js';
import { trainingCurves } from '../shared/report/curves.js';
import { baseName, factList, page, section, table } from '../shared/report/page.js';
import { spectrogram } from '../shared/report/spectrogram.js';
import { scoreTexts } from '../shared/scores.js';
import { planEvent } from './run-events.js';
import { scoreTable } from './scores.js';
import type { TranscribeResult } from './transcribe.js';

/** Number of spectrograms, and number of worst transcripts that are listed. */
const EXAMPLES = 4;
const WORST = 20;

/** Returns the report as an HTML document. */
export function transcribeReport(
  result: TranscribeResult,
  run: { backend: string; seconds: number },
): string {
  const { plan, scores, transcripts } = result;
  const title = `Transcription of ${plan.columns.audio}`;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const summary =
    `Word error rate ${percent(scores.wordErrorRate)}, character error rate ${percent(scores.characterErrorRate)} on ` +
    `${transcripts.length} validation sounds.`;
  const source = `Trained on ${plan.training.sounds.length} sounds of ${baseName(plan.source)}.`;
  const [head, row] = scoreTexts(scoreTable(scores, transcripts.length, plan.sizes.cell));
  return page({
    title,
    lead: `<p>${escapeHtml(summary)}</p><p class="quiet">${escapeHtml(source)}</p>`,
    sections: [
      section('Training', trainingCurves([result.training])),
      section('Scores', table(head, [row])),
      section('Spectrograms', spectrograms(result)),
      section('Worst transcripts', worst(result)),
      section('Settings', factList(settingsOf(result, run))),
    ],
  });
}

function spectrograms({ plan, transcripts }: TranscribeResult): string {
  const { frontEnd, validationSounds, validationRows } = plan;
  const width = frontEnd.config.means.length;
  const parts = validationSounds.slice(0, EXAMPLES).map(({ values, length }, i) => {
    const times = transcripts[i].words.map(({ word, start }) => `${word} ${start.toFixed(2)}`).join(', ');
    const caption = `${validationRows[i].name}: "${validationRows[i].text}", recognised ${times || 'nothing'}`;
    return spectrogram({ values, width, length, frameRate: frontEnd.frameRate, caption });
  });
  const lead =
    'Low frequencies are at the bottom; a darker cell is louder, relative to the mean of its frequency. Recognised words are given with their start in seconds.';
  return `<p class="quiet">${lead}</p>${parts.join('')}`;
}

/** Lists the transcripts with the highest word error rates. */
function worst({ plan, transcripts }: TranscribeResult): string {
  const rated = transcripts
    .map(({ text }, i) => ({ i, text, rate: wordErrorRate([text], [plan.validationRows[i].text]).errorRate }))
    .filter(({ rate }) => rate > 0)
    .sort((a, b) => b.rate - a.rate)
    .slice(0, WORST);
  if (rated.length === 0) return '<p>All validation sounds are transcribed without an error.</p>';
  const rows = rated.map(({ i, text, rate }) => {
    const { name, text: reference } = plan.validationRows[i];
    return [name, reference, text, `${(100 * rate).toFixed(0)} %`];
  });
  return `<div class="texts">${table(['sound', 'reference', 'transcript', 'error rate'], rows)}</div>`;
}

function settingsOf(
  { plan, model, training }: TranscribeResult,
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
