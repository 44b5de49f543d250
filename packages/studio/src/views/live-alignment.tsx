/** Live attention: which steps of the input the decoder of each cell reads at every step of the output. */
import { signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { formatNumber } from '../charts/format-number.js';
import { HeatMap } from '../charts/heat-map.js';
import { cellColors } from '../charts/palette.js';
import type { ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import type { CellKind } from '../state/settings.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel, Waiting } from '../ui/panel.js';
import { inputTexts } from './inputs.js';

/** The input step that was selected with the pointer or the arrow keys; null: none. */
const chosen = signal<number | null>(null);
/** Largest number of steps for which the tokens are shown at the edges of a map. */
const MAX_TOKENS = 24;

export function AlignmentPanel({ problem }: { problem: ProblemInfo }) {
  const found = store
    .latestValues('trace')
    .flatMap(({ cell, value }) =>
      value.flatMap(({ alignment }) => (alignment ? [{ cell, weights: alignment }] : [])),
    );
  return (
    <Panel title={t('alignmentTitle')} hint={t('alignmentHint')} id="alignments" wide>
      {found.length === 0 ? <Waiting /> : null}
      <div class="alignments">
        {found.map((entry) => (
          <Alignments key={entry.cell} {...entry} problem={problem} />
        ))}
      </div>
    </Panel>
  );
}

interface AlignmentProps {
  cell: CellKind;
  /** [output steps, input steps] */
  weights: Float32Array;
  problem: ProblemInfo;
}

function Alignments({ cell, weights, problem }: AlignmentProps) {
  const { steps, classes } = problem;
  const example = store.example.value;
  const sources = inputTexts(problem, example);
  const outputs = Array.from({ length: steps }, (_, n) => classes?.[problem.y[example * steps + n]] ?? '');
  // The values of a heat map are [column, row].
  const values = useMemo(() => transposed(weights, steps), [weights, steps]);
  const order = useMemo(() => Array.from({ length: steps }, (_, row) => row), [steps]);
  const step = Math.max(0, store.step.value);
  const row = weights.subarray(step * steps, (step + 1) * steps);
  const input = chosen.value !== null && chosen.value < steps ? chosen.value : null;
  const inputStep = input ?? row.indexOf(Math.max(...row));
  const tokens = steps <= MAX_TOKENS;
  return (
    <figure class="map aligned" data-cell={cell} data-tokens={tokens}>
      <figcaption>
        <b style={{ color: cellColors.value[cell] }}>{cellName(cell)}</b>
        <span class="scale">0 … 1</span>
      </figcaption>
      {tokens && <Tokens texts={sources} axis="columns" />}
      {tokens && <Tokens texts={outputs} axis="rows" />}
      <HeatMap
        {...{ values, steps, units: steps, order, low: 0, high: 1, threshold: 0, scale: 'sequential' }}
        height={Math.max(160, Math.min(320, 20 * steps))}
        label={t('alignmentOf', { cell: cellName(cell) })}
        step={input}
        unit={step}
        onPick={(column, next) => {
          chosen.value = column;
          store.step.value = next;
        }}
      />
      <p class="readout" aria-live="polite">
        {t(input === null ? 'alignmentMost' : 'alignmentAt', {
          step: step + 1,
          output: outputs[step] ?? '',
          input: inputStep + 1,
          token: sources[inputStep] ?? '',
          weight: formatNumber(Number((row[inputStep] ?? 0).toFixed(2))),
        })}
      </p>
    </figure>
  );
}

function Tokens({ texts, axis }: { texts: readonly string[]; axis: 'rows' | 'columns' }) {
  return (
    <span class={`axis ${axis}`} aria-hidden="true">
      {texts.map((text, n) => (
        <span key={n}>{text}</span>
      ))}
    </span>
  );
}

function transposed(weights: Float32Array, steps: number): Float32Array {
  return Float32Array.from(weights, (_, n) => weights[(n % steps) * steps + Math.floor(n / steps)]);
}
