// Imports the models of keras_matrix.py and compares their outputs with those of Keras. Then exports each model to both formats,
// imports it again and checks that the outputs are the same.
//
//   node tools/goldens/formats/keras-matrix.mjs FOLDER     the folder that keras_matrix.py has written
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { predictAll, ready, tensor } from '@unroll/core';
import { exportKeras, importKeras } from 'unrolljs/convert';

await ready();
const [folder] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
const valuesOf = ({ data }) => new Float32Array(Uint8Array.from(Buffer.from(data, 'base64')).buffer);
const counts = { equal: 0, different: 0, refused: 0, exported: 0, 'not exported': 0 };
const reasons = {};
let worst = 0;
for (const [number, { inputs, outputs, layers, dtype, options = '' }] of Object.entries(cases)) {
  for (const extension of ['keras', 'h5']) {
    try {
      const { model } = await importKeras(join(folder, `${number}.${extension}`));
      const error = async (network) => {
        network.resetStates();
        const results = await predictAll(network, [tensor(valuesOf(inputs[0]), inputs[0].shape)]);
        if (results.length !== outputs.length) return Number.POSITIVE_INFINITY;
        const errors = results.flatMap((result, n) => {
          const y = result.dataSync();
          return Array.from(valuesOf(outputs[n]), (e, i) => Math.abs(e - y[i]) / Math.max(1, Math.abs(e)));
        });
        return errors.every(Number.isFinite) ? Math.max(...errors) : Number.POSITIVE_INFINITY;
      };
      const importError = await error(model);
      worst = Math.max(worst, importError);
      counts[importError <= 1e-5 ? 'equal' : 'different']++;
      if (!(importError <= 1e-5))
        console.log(number, extension, dtype, importError, layers.join(' '), options);
      try {
        for (const format of ['keras', 'h5']) {
          const bytes = await exportKeras(model, { format });
          const reimportError = await error((await importKeras(bytes)).model);
          if (reimportError !== importError)
            console.log(number, 'differs after export', importError, reimportError, layers.join(' '));
          writeFileSync(join(folder, `${number}-out.${format}`), bytes);
        }
        counts.exported++;
      } catch (problem) {
        counts['not exported']++;
        const reason = `export: ${problem.message.replace(/"[^"]*"/g, '').slice(0, 150)}`;
        reasons[reason] = (reasons[reason] ?? 0) + 1;
      }
    } catch (problem) {
      counts.refused++;
      const reason = problem.message.replace(/"[^"]*"/g, '').slice(0, 150);
      reasons[reason] = (reasons[reason] ?? 0) + 1;
      if (problem.name !== 'UnrollError') console.log(number, extension, problem.stack);
    }
  }
}
console.log(counts, 'largest error', worst);
console.log(reasons);
