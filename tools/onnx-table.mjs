// Writes the generated parts of docs/convert-onnx.md: the table of the ONNX operators that Unroll imports, and the list of the
// layers that it exports. Both are generated from the tables in the importer and the exporter.
//
//   node tools/onnx-table.mjs [--check]     --check: only checks that the page is up to date, and fails if it is not
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../..');
const load = (path) => import(pathToFileURL(join(root, 'packages/formats/dist/convert/onnx', path)).href);

/** Returns the page with its generated parts replaced. */
export const generate = async (page) => {
  const { operators } = await load('operators/index.js');
  const { layerExporters } = await load('export/layers.js');
  const { CELLS } = await load('export/recurrent.js');
  const code = (names) => names.map((name) => `\`${name}\``).join(', ');
  const rows = [...operators].map(
    ([name, { becomes, attributes, note }]) =>
      `| ${name} | ${becomes}${note ? ` (${note})` : ''} | ${code(attributes)} |`,
  );
  const read = ['| operator | becomes | attributes |', '|---|---|---|', ...rows].join('\n');
  const layers = Object.keys(layerExporters).sort();
  const write = `Layers: ${code(layers)}, recurrent layers with the cells ${code(CELLS)} or with stacks of these cells, and nested models.`;
  return ['operators', 'layers'].reduce((text, part, i) => {
    const [begin, end] = [`<!-- ${part} -->`, `<!-- /${part} -->`];
    const [before, rest] = text.split(begin);
    if (rest === undefined) throw new Error(`docs/convert-onnx.md has no ${begin}`);
    return `${before}${begin}\n\n${[read, write][i]}\n\n${end}${rest.split(end)[1]}`;
  }, page);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(root, 'docs/convert-onnx.md');
  const page = readFileSync(path, 'utf8');
  const generated = await generate(page);
  if (!process.argv.includes('--check')) writeFileSync(path, generated);
  else if (page !== generated) {
    console.error('docs/convert-onnx.md differs from the code. Run node tools/onnx-table.mjs.');
    process.exitCode = 1;
  }
}
