/** Creates the SVG file of a forecast: one chart for each of the first 24 series of the panel. */
import { chart, escapeHtml } from '../shared/report/chart.js';
import type { ForecastResult } from './forecast.js';
import { seriesChartData } from './report.js';

/** The file shows at most this many series, in columns. */
const MAX_SERIES = 24;
const COLUMNS = 2;
/** Width and height of a chart in pixels, as in reports, and height of its heading. */
const [WIDTH, HEIGHT, HEADING] = [760, 300, 24];

const STYLE =
  'svg{background:#fff}text{font:12px system-ui,sans-serif;fill:#5b6570}.heading{font-size:15px;fill:#1b1f24}' +
  '.grid{stroke:#dfe3e8}.divider{stroke:#5b6570;stroke-dasharray:2 4}.line{fill:none;stroke-width:1.75;stroke-linejoin:round}' +
  '.actual{stroke:#1b1f24}.forecast{stroke:#0969b8;stroke-dasharray:6 3}.dot{fill:#0969b8}.band{fill:#0969b8}' +
  '.band1{fill-opacity:.14}.band2{fill-opacity:.2}.band3{fill-opacity:.26}';

/**
 * Returns an SVG document with the last rows and the forecast of each of the first 24 series.
 * @param result the result of `forecast`
 */
export function forecastPlot(result: ForecastResult): string {
  const { panel, winner } = result;
  const count = Math.min(MAX_SERIES, panel.series.length);
  const columns = Math.min(COLUMNS, count);
  const charts = panel.series.slice(0, count).map(({ id }, s) => {
    const [x, y] = [(s % columns) * WIDTH, Math.floor(s / columns) * (HEIGHT + HEADING)];
    const heading = `${panel.target}${id === '' ? '' : ` of ${id}`}, forecast by ${winner}`;
    return (
      `<g transform="translate(${x} ${y})"><text class="heading" x="52" y="17">${escapeHtml(heading)}</text>` +
      `<g transform="translate(0 ${HEADING})">${wideChart(result, s)}</g></g>`
    );
  });
  const [width, height] = [columns * WIDTH, Math.ceil(count / columns) * (HEIGHT + HEADING)];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<style>${STYLE}</style>${charts.join('')}</svg>\n`
  );
}

/** Returns the chart of a series with its width and height set: the first, wide one of the two charts that `chart` returns. */
function wideChart(result: ForecastResult, s: number): string {
  const svg = chart(seriesChartData(result, s));
  const end = '</svg>';
  return svg
    .slice(0, svg.indexOf(end) + end.length)
    .replace('<svg ', `<svg width="${WIDTH}" height="${HEIGHT}" `);
}
