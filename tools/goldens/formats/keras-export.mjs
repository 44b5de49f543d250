// Imports the Keras files of the reference values and exports the models to Keras files again, which keras_check.py checks:
//   node tools/goldens/formats/keras-export.mjs FOLDER && python tools/goldens/formats/keras_check.py FOLDER
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromZip } from '@unroll/formats';
import { exportKeras, importKeras } from 'unrolljs/convert';

const [folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const goldens = new URL('../../../packages/testkit/goldens/formats/keras/', import.meta.url);
const records = {};
for (const number of ['', '2']) {
  const { cases } = JSON.parse(readFileSync(new URL(`cases${number}.json`, goldens), 'utf8'));
  const names = Object.entries(cases).flatMap(([name, { formats }]) =>
    formats.map((end) => `${name}.${end}`),
  );
  const files = await fromZip(readFileSync(new URL(`files${number}.zip`, goldens)), names);
  for (const [name, golden] of Object.entries(cases)) {
    if (name === 'custom_layer' || name === 'tf_legacy_rmsprop') continue; // Keras 3 has neither the layer nor the optimizer
    const { model } = await importKeras(files.get(`${name}.${golden.formats[0]}`));
    for (const format of ['keras', 'h5'])
      writeFileSync(join(folder, `${name}.${format}`), await exportKeras(model, { format }));
    records[name] = golden;
  }
}
writeFileSync(join(folder, 'cases.json'), JSON.stringify(records));
