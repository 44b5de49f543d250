/** Writes the HTML report of a comparison: the verdict, the table, and a chart of the validation losses of each cell. */
import { chart, escapeHtml } from '../shared/report/chart.js';
import { factList, page, section, table } from '../shared/report/page.js';
import { scoreTexts } from '../shared/scores.js';
import { ADVICE, type Comparison, comparisonTable, summarizeCells, verdict, winnerOf } from './comparison.js';

/** Returns the report as an HTML document. @param settings names and values of the settings of the run */
export function comparisonReport(
  comparison: Comparison,
  settings: readonly (readonly [name: string, text: string])[],
): string {
  const [head, ...rows] = scoreTexts(comparisonTable(comparison));
  const seeds = new Set(comparison.runs.map(({ seed }) => seed)).size;
  return page({
    title: `${comparison.task}: comparison of recurrent cells`,
    lead: `<p>${escapeHtml(verdict(comparison))}</p>`,
    sections: [
      section(
        'Results',
        `${table(head, rows, { best: winnerOf(comparison) !== null })}<p class="quiet">Means over ${seeds} ${seeds === 1 ? 'seed' : 'seeds'} on the validation data; ± is the standard deviation.</p>`,
      ),
      section('Validation loss by epoch', curves(comparison)),
      section('What to expect', `<ul>${ADVICE.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>`),
      section('Settings', factList(settings)),
    ],
  });
}

/** Draws one chart for each cell. Two invisible lines at the lowest and the highest loss give all charts the same axes. */
function curves(comparison: Comparison): string {
  const longest = Math.max(...comparison.runs.map(({ losses }) => losses.length));
  const all = comparison.runs.flatMap(({ losses }) => losses).filter(Number.isFinite);
  if (longest === 0 || all.length === 0) return '<p>The runs have no validation losses.</p>';
  const frame = [Math.min(...all), Math.max(...all)].map((value) => ({
    ...{ kind: 'frame', from: 0 },
    values: Array.from({ length: longest }, () => value),
  }));
  return summarizeCells(comparison)
    .map(({ cell, runs }) => {
      const lines = runs.map(({ losses }) => ({ kind: 'forecast', from: 0, values: losses }));
      const label = (row: number): string => `epoch ${Math.round(row) + 1}`;
      const drawn = chart({ title: `Validation loss of ${cell} by epoch`, lines: [...lines, ...frame], bands: [], dividers: [], label }); // biome-ignore format: one line
      return `<h3>${escapeHtml(cell)}</h3>${drawn}`;
    })
    .join('');
}
