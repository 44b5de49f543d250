// Imports the models of keras_matrix.py, compares their outputs with those of Keras, and after an export to both formats again.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensor } from 'unrolljs';
import { exportKeras, importKeras } from 'unrolljs/convert';

const [folder] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
const valuesOf = ({ data }) => new Float32Array(Uint8Array.from(Buffer.from(data, 'base64')).buffer);
const counts = { equal: 0, different: 0, refused: 0, exported: 0, 'not exported': 0 };
const reasons = {};
let worst = 0;
for (const [number, { inputs, outputs, layers, dtype }] of Object.entries(cases)) {
  for (const end of ['keras', 'h5']) {
    try {
      const { model } = await importKeras(join(folder, `${number}.${end}`));
      const error = async (network) => {
        const y = await (await network.predict(tensor(valuesOf(inputs[0]), inputs[0].shape))).data();
        return valuesOf(outputs[0]).reduce(
          (max, e, i) => Math.max(max, Math.abs(e - y[i]) / Math.max(1, Math.abs(e))),
          0,
        );
      };
      const own = await error(model);
      worst = Math.max(worst, own);
      counts[own <= 1e-5 ? 'equal' : 'different']++;
      if (!(own <= 1e-5)) console.log(number, end, dtype, own, layers.join(' '));
      try {
        for (const format of ['keras', 'h5']) {
          const bytes = await exportKeras(model, { format });
          const again = await error((await importKeras(bytes)).model);
          if (again !== own) console.log(number, 'differs after export', own, again, layers.join(' '));
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
      if (problem.name !== 'UnrollError') console.log(number, end, problem.stack);
    }
  }
}
console.log(counts, 'largest error', worst);
console.log(reasons);
