/** Text about imported models and about files of other tools. */
import type { FileDescription, ImportedModel, ModelFormat } from '@unroll/formats/convert';
import { alignColumns } from '../shared/reporter.js';

/** If more tensors than this are mapped, only their number is printed. */
const MAX_LINES = 40;

/** Returns one line for each part of an imported file, which says how the part was converted. */
export function reportLines(read: { input: string; format: ModelFormat; imported: ImportedModel }): string[] {
  const { model, report, optimizer } = read.imported;
  const count = model.countParams().toLocaleString('en-US');
  const { mapped, defaulted, dropped } = report;
  const lines = [
    `read     ${read.input}: ${read.format.title}, ${model.layers.length} layers, ${count} parameters`,
  ];
  const width = Math.max(0, ...mapped.map(({ from }) => from.length));
  if (mapped.length > MAX_LINES) lines.push(`mapped   ${mapped.length} tensors and layers`);
  else lines.push(...mapped.map(({ from, to }) => `mapped   ${from.padEnd(width)}  ->  ${to}`));
  lines.push(...defaulted.map(({ name, value, reason }) => `default  ${name}: ${value} (${reason})`));
  lines.push(...dropped.map(({ name, reason }) => `dropped  ${name}: ${reason}`));
  if (optimizer !== null) lines.push(`optimizer  ${optimizer.name}, ${optimizer.iterations} updates`);
  return lines;
}

/** Returns the description of a file of another tool as text. */
export function descriptionText(path: string, { title, parts, tensors, facts }: FileDescription): string {
  const shapeText = (shape: readonly number[] | null): string =>
    shape === null ? '?' : `[${shape.map((extent) => (extent < 0 ? '·' : extent)).join(', ')}]`;
  const blocks = [
    [`model  ${path}`, title, ...facts.map(({ name, value }) => `${name}: ${value}`)].join('\n'),
  ];
  if (parts.length > 0) {
    const rows = parts.map(({ name, type, shape, supported, note }) => [
      ...[name, type, shapeText(shape)],
      supported ? (note ?? '') : `not supported${note ? `: ${note}` : ''}`,
    ]);
    blocks.push(leftAligned([['name', 'type', 'shape', ''], ...rows]));
  }
  if (tensors.length > 0) {
    const rows = tensors.map(({ name, shape, dtype }) => [name, dtype, shapeText(shape), sizeOf(shape)]);
    blocks.push(alignColumns([['tensor', 'type', 'shape', 'values'], ...rows]).join('\n'));
  }
  return `${blocks.join('\n\n')}\n`;
}

/** Formats the number of elements with commas. toLocaleString is not used, because its first call takes 20 ms. */
const sizeOf = (shape: readonly number[]): string =>
  `${shape.reduce((product, extent) => product * extent, 1)}`.replace(/\B(?=(\d{3})+$)/g, ',');

function leftAligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
