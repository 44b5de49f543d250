/** Builds a report: a self-contained HTML page for light and dark mode, and for wide and narrow screens. */
import { escapeHtml } from './chart.js';
import { STYLE } from './style.js';

export interface PageParts {
  title: string;
  /** Introduction below the title, as HTML. */
  lead: string;
  /** HTML of the sections. */
  sections: readonly string[];
}

/** Returns the HTML document. */
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

/** Returns a section with a heading. @param body HTML */
export const section = (title: string, body: string): string =>
  `<section>\n<h2>${escapeHtml(title)}</h2>\n${body}\n</section>`;

/** Returns a table of text as HTML. @param best whether to highlight the first row. Default false */
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

/** Returns a list of names and values as HTML. */
export function factList(rows: readonly (readonly [name: string, text: string])[]): string {
  return `<dl>${rows.map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`).join('')}</dl>`;
}

/** Returns the last part of a path. */
export const baseName = (path: string): string => path.split(/[\\/]/).at(-1) ?? path;
