/** The page of `unroll inspect --report`: self-contained, without scripts. All text of a model is escaped. */
import {
  escapeText,
  gateFigure,
  type LayerSaturation,
  lagCurves,
  lagFigure,
  type MemoryLength,
  unrolledFigure,
  type WeightStatistics,
} from '@unroll/insight';
import type { ExampleMeasurements, ModelMeasurements } from './measure.js';

const STYLE = `
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--rule:#d1d9e0;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--soft:#a0a6ad;--rule:#3d444d;--paper:#17181a}}
body{margin:0 auto;max-width:800px;padding:16px;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:22px}h2{font-size:17px;margin-top:32px}p{color:var(--soft)}pre{overflow-x:auto;font-size:12px}
table{border-collapse:collapse;font-size:13px;width:100%;display:block;overflow-x:auto}
th,td{text-align:right;padding:3px 8px;border-bottom:1px solid var(--rule)}th:first-child,td:first-child{text-align:left}
svg{max-width:100%;height:auto}section{overflow-x:auto}section>svg{min-width:600px}.bars rect{fill:#0072b2}@media(prefers-color-scheme:dark){.bars rect{fill:#56b4e9}}`;

/** A content security policy that allows no scripts and no external resources. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** Returns the page. @param text the description of the model, which `unroll inspect` prints */
export function inspectionPage(path: string, text: string, { weights, example }: ModelMeasurements): string {
  const parts = [
    ...(example === null ? [] : exampleParts(example)),
    section('Weights', '', weightTable(weights)),
    section('Model', '', `<pre>${escapeText(text)}</pre>`),
  ];
  const title = escapeText(`Inspection of ${path}`);
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<meta http-equiv="Content-Security-Policy" content="${escapeText(POLICY)}"><title>${title}</title>` +
    `<style>${STYLE}</style></head><body><h1>${title}</h1>${parts.join('')}</body></html>\n`
  );
}

const section = (title: string, about: string, body: string): string =>
  `<section><h2>${escapeText(title)}</h2>${about && `<p>${escapeText(about)}</p>`}${body}</section>`;

function exampleParts({ title, steps, trace, gradients, saturation, memory }: ExampleMeasurements): string[] {
  const parts = [`<p>${escapeText(title)}</p>`];
  if (trace.layers.length === 0) return [...parts, section('Gates', 'The model has no recurrent layer.', '')];
  const inputs = steps === undefined ? {} : { inputs: steps };
  parts.push(
    section(
      'Unrolled network',
      'The last steps. Colours show the output h of each unit; the numbers are the norm of h and the mean of each gate.',
      unrolledFigure(trace, inputs),
    ),
    section('Memory', memoryText(memory), memoryFigure(memory)),
    section(
      'Gradients by lag',
      'The derivative of the output with respect to the states of earlier steps, relative to lag 0.',
      gradientFigure(gradients),
    ),
    section(
      'Saturation',
      'Shares of gate values below 0.05 and above 0.95 (candidates and h: below -0.95 and above 0.95).',
      saturationTable(saturation),
    ),
    ...trace.layers.map((layer) => section(`Gates of ${layer.layer}`, '', gateFigure(layer))),
  );
  return parts;
}

/** Draws the curves of the layers that influence an output. Each network of an ensemble has a separate output. */
function gradientFigure(gradients: ExampleMeasurements['gradients']): string {
  const curves = gradients
    .flatMap((found) => lagCurves(found))
    .filter(({ values }) => Array.from(values).some((value) => value > 0));
  return curves.length === 0 ? '' : lagFigure(curves);
}

const stepsText = (count: number): string => `${count} ${count === 1 ? 'step' : 'steps'}`;

export function memoryText({
  lengths: [length],
  influence,
}: Pick<MemoryLength, 'lengths' | 'influence'>): string {
  const steps = stepsText(influence.shape[1]);
  if (length < 0) return 'No step of the first input has an influence on the output.';
  return (
    `The output depends on inputs up to ${stepsText(length)} back (of ${steps}). Earlier inputs have less than 1 % of ` +
    'the largest influence.'
  );
}

/** Draws the influence of the input by lag, relative to the largest influence. */
function memoryFigure({ influence }: MemoryLength): string {
  const values = Array.from(influence.values.subarray(0, influence.shape[1]));
  const largest = Math.max(...values.filter(Number.isFinite));
  if (!(largest > 0)) return '';
  return lagFigure(
    [
      {
        label: 'influence of the input, relative to the largest',
        values: values.map((value) => value / largest),
      },
    ],
    {
      ...{
        title: 'Influence of the input by lag',
        yLabel: 'norm of the derivative',
        floor: 1e-8,
        height: 260,
      },
      line: { value: 0.01, label: '1 %' },
    },
  );
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (names: readonly string[], tag: string): string =>
    `<tr>${names.map((name) => `<${tag}>${name}</${tag}>`).join('')}</tr>`;
  return `<table>${cells(head.map(escapeText), 'th')}${rows.map((row) => cells(row, 'td')).join('')}</table>`;
}

/**
 * Returns one row for each gate of each layer: its name, and the shares of its values that are low and high. The first row of a
 * layer also has the number of dead units and the half-life.
 */
export function saturationRows(saturation: readonly LayerSaturation[]): string[][] {
  return saturation.flatMap(({ layer, gates, values, dead, units, halfLife }) =>
    Object.entries({ ...gates, ...values }).map(([name, { low, high }], i) => [
      ...[layer, name, percent(low), percent(high)],
      i === 0 ? `${dead.length} of ${values.h?.meanByUnit.length ?? units}` : '',
      i === 0 && halfLife ? medianText(halfLife) : '',
    ]),
  );
}

export const SATURATION_HEAD = ['layer', 'gate', 'low', 'high', 'dead units', 'half-life (median)'];

function medianText(values: Float64Array): string {
  const sorted = Float64Array.from(values).sort();
  const median = sorted[Math.floor(sorted.length / 2)];
  return Number.isFinite(median) ? `${Number(median.toPrecision(3))} steps` : 'no limit';
}

const saturationTable = (saturation: readonly LayerSaturation[]): string =>
  table(
    SATURATION_HEAD,
    saturationRows(saturation).map((row) => row.map(escapeText)),
  );

function weightTable(weights: readonly WeightStatistics[]): string {
  const number = (value: number): string => String(Number(value.toPrecision(3)));
  return table(
    ['weights', 'shape', 'mean', 'standard deviation', 'smallest', 'largest', 'zeros', 'histogram'],
    weights.map(({ name, shape, mean, deviation, zeros, histogram }) => [
      ...[escapeText(name), shape.join(' x '), number(mean), number(deviation)],
      ...[number(histogram.min), number(histogram.max), percent(zeros), bars(histogram.counts)],
    ]),
  );
}

/** Draws a small histogram. */
function bars(counts: Float64Array): string {
  const largest = counts.reduce((max, count) => Math.max(max, count), 1);
  const rects = Array.from(counts, (count, i) => {
    const height = Number(((20 * count) / largest).toFixed(1));
    return `<rect x="${i * 3}" y="${20 - height}" width="2.5" height="${height}"/>`;
  });
  return `<svg class="bars" width="90" height="20" viewBox="0 0 90 20" role="img" aria-label="histogram">${rects.join('')}</svg>`;
}
