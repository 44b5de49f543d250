/** The frame of a report: one HTML file that needs nothing else, for light and dark screens, wide and narrow ones. */
import { escapeHtml } from './chart.js';
import { STYLE } from './style.js';

export interface PageParts {
  title: string;
  /** Below the title: HTML. */
  lead: string;
  /** HTML of the sections. */
  sections: readonly string[];
}

/** The whole document. */
export function page({ title, lead, sections }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
${lead}
</header>
<main>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

/** @param body HTML */
export const section = (title: string, body: string): string =>
  `<section>\n<h2>${escapeHtml(title)}</h2>\n${body}\n</section>`;

/** A table of text. @param best marks the first row */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { best = false } = {},
): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('');
  const body = rows
    .map((row, i) => `<tr${best && i === 0 ? ' class="best"' : ''}>${cells(row, 'td')}</tr>`)
    .join('');
  return `<div class="scroll"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** A list of names and their values. */
export function facts(rows: readonly (readonly [name: string, text: string])[]): string {
  return `<dl>${rows.map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`).join('')}</dl>`;
}

/** The last part of a path. */
export const baseName = (path: string): string => path.split(/[\\/]/).at(-1) ?? path;
