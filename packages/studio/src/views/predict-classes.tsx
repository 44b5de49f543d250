/** Classes: the confusion matrix of the selected cell, and the probabilities of one example. */
import { colorTable, cssColor, isDark } from '../charts/palette.js';
import type { ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { currentSnapshot, Panel, Pickers, Waiting } from '../ui/panel.js';
import { InputStrip } from './inputs.js';
import { outputRow, softmaxOf } from './outputs.js';

export function ClassPredictions({ problem }: { problem: ProblemInfo }) {
  const predictions = currentSnapshot()?.values.predictions;
  const { classes } = problem;
  if (!predictions || !classes) return <Waiting />;
  const counts = confusion(problem.y, predictions.outputs, classes.length);
  const probabilities = softmaxOf(outputRow(problem, predictions, store.example.value, 0));
  return (
    <>
      <Panel
        title={t('confusionTitle', { cell: cellName(store.cell.value) })}
        hint={t('confusionHint')}
        id="confusion"
      >
        <Confusion classes={classes} counts={counts} />
        <p class="readout">
          {t('accuracyOf', {
            share: `${Math.round(100 * (predictions.accuracy ?? 0))} %`,
            count: problem.count,
          })}
        </p>
      </Panel>
      <Panel title={t('exampleTitle')} id="class-example">
        <Pickers />
        <InputStrip />
        <p>{t('label', { label: classes[problem.y[store.example.value]] })}</p>
        <div class="bars">
          {classes.map((name, id) => (
            <div key={name} class="bar">
              <code>{name}</code>
              <span class="fill" style={{ width: `${60 * probabilities[id]}%` }} />
              <small>{`${(100 * probabilities[id]).toFixed(1)} %`}</small>
            </div>
          ))}
        </div>
      </Panel>
    </>
  );
}

/** Returns the confusion matrix: counts [actual, predicted]. */
export function confusion(y: Float32Array, outputs: Float32Array, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let n = 0; n < outputs.length / classes; n++) {
    const row = outputs.subarray(n * classes, (n + 1) * classes);
    counts[y[n]][row.indexOf(Math.max(...row))]++;
  }
  return counts;
}

function Confusion({ classes, counts }: { classes: readonly string[]; counts: readonly number[][] }) {
  const table = colorTable('sequential', isDark.value);
  return (
    <div class="scroll">
      <table class="confusion">
        <thead>
          <tr>
            <th scope="col">{t('actualPredicted')}</th>
            {classes.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {counts.map((row, actual) => {
            const total = row.reduce((sum, count) => sum + count, 0) || 1;
            return (
              <tr key={classes[actual]}>
                <th scope="row">{classes[actual]}</th>
                {row.map((count, predicted) => (
                  <td
                    key={classes[predicted]}
                    style={{
                      background: cssColor(table[Math.round((255 * count) / total)]),
                      color: count / total > 0.6 ? '#000' : '#fff',
                    }}
                  >
                    {count}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
