/** The button that saves the gates or the unrolled network as SVG. */
import { t } from '../i18n/index.js';
import { ask } from '../state/actions.js';
import { failureOf } from '../state/failure.js';
import * as store from '../state/store.js';
import { download } from '../ui/download.js';
import { inputTexts } from './inputs.js';

export function SaveFigure({ figure, from = 0 }: { figure: 'gates' | 'unrolled'; from?: number }) {
  const save = async (): Promise<void> => {
    const { value: problem } = store.problem;
    const [cell, example, layer] = [store.cell.value, store.example.value, store.layer.value];
    const texts = problem?.vocabulary ? inputTexts(problem, example) : [];
    try {
      const source = await ask<string>({ about: 'figure', figure, cell, example, layer, from, texts });
      download(`${figure} ${cell}.svg`, source, 'image/svg+xml');
    } catch (error) {
      store.failure.value = failureOf('advice_figure', error);
    }
  };
  return (
    <button
      type="button"
      id={`save-${figure}`}
      aria-label={t('saveFigure', { name: t(figure === 'gates' ? 'view_gates' : 'view_network') })}
      onClick={() => void save()}
    >
      SVG
    </button>
  );
}
