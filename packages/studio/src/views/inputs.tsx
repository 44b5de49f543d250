/** The input of the example, above the heat maps: a token or numbers for each step. */
import { formatNumber } from '../charts/format-number.js';
import type { ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { visible } from './visible.js';

/** Returns the input of each step of an example as text. */
export function inputTexts(problem: ProblemInfo, example: number): string[] {
  const { steps, vocabulary, features, x } = problem;
  return Array.from({ length: steps }, (_, step) => {
    const index = example * steps + step;
    if (vocabulary) return visible(vocabulary[x[index]] ?? '');
    return Array.from(x.subarray(index * features.length, (index + 1) * features.length), formatNumber).join(
      ', ',
    );
  });
}

export function InputStrip() {
  const problem = store.problem.value;
  if (!problem) return null;
  const { vocabulary, steps, lengths } = problem;
  const example = store.example.value;
  if (vocabulary) {
    const texts = inputTexts(problem, example);
    return (
      <div class="tokens" role="listbox" aria-label={t('input')} style={{ '--steps': steps }}>
        {texts.map((text, step) => (
          <button
            key={step}
            type="button"
            role="option"
            class={step < lengths[example] ? 'token' : 'token padding'}
            aria-selected={step === store.step.value}
            tabIndex={step === store.step.value ? 0 : -1}
            onClick={() => (store.step.value = step)}
          >
            {text || '∅'}
          </button>
        ))}
      </div>
    );
  }
  return (
    <svg
      class="signal"
      viewBox={`0 0 ${steps} 40`}
      preserveAspectRatio="none"
      role="img"
      aria-label={t('input')}
    >
      <SignalPaths problem={problem} example={example} />
      <rect class="now" x={store.step.value} y={0} width={1} height={40} />
    </svg>
  );
}

function SignalPaths({ problem, example }: { problem: ProblemInfo; example: number }) {
  const { steps, features, x } = problem;
  const width = features.length;
  return (
    <>
      {features.map((name, f) => {
        const values = Array.from({ length: steps }, (_, step) => x[(example * steps + step) * width + f]);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        const y = (value: number): number => 38 - (36 * (value - low)) / (high - low || 1);
        const path = values.map((value, step) => `${step === 0 ? 'M' : 'L'}${step} ${y(value)}h1`).join('');
        return <path key={name} class={`feature${f}`} d={path} vector-effect="non-scaling-stroke" />;
      })}
    </>
  );
}
