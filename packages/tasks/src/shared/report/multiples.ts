/** Small charts of many series in columns, with a search by name. */
import { escapeHtml } from './chart.js';

export interface NamedChart {
  name: string;
  /** A small chart, as HTML. */
  chart: string;
}

/** Script that hides the charts whose name does not contain the text of the search box, and shows how many are left. */
const SEARCH = `
const box = document.querySelector('.search input');
const figures = [...document.querySelectorAll('.multiples figure')];
const count = document.querySelector('.search output');
const search = () => {
  const text = box.value.trim().toLowerCase();
  for (const figure of figures) figure.hidden = !figure.dataset.name.includes(text);
  count.textContent = figures.filter((figure) => !figure.hidden).length + ' of ' + figures.length;
};
box.addEventListener('input', search);
search();`;

/**
 * Returns the charts in columns, below a search box. Without scripts, all charts are shown.
 * @param noun plural noun for what the charts show, such as `series`, for the label of the search box
 */
export function multiples(items: readonly NamedChart[], noun: string): string {
  const figures = items.map(
    ({ name, chart }) =>
      `<figure data-name="${escapeHtml(name.toLowerCase())}"><figcaption>${escapeHtml(name)}</figcaption>${chart}</figure>`,
  );
  return (
    `<p class="search"><label>Search ${escapeHtml(noun)} <input type="search"></label> <output class="quiet"></output></p>` +
    `<div class="multiples">${figures.join('')}</div><script>${SEARCH}</script>`
  );
}
