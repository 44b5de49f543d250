/** The network unrolled in time with its current numbers, and the arithmetic of a step. The steps can be played. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatNumber } from '../charts/format-number.js';
import { colorTable, cssColor, isDark } from '../charts/palette.js';
import type { LayerValues, ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { currentSnapshot, Panel, Pickers, Waiting } from '../ui/panel.js';
import { arithmeticOf } from './arithmetic.js';
import { SaveFigure } from './figures.js';
import { arraysOf, gateText, isGate } from './gates.js';
import { InputStrip, inputTexts } from './inputs.js';
import { outputText } from './outputs.js';

const playing = signal(false);
const PLAY_MS = 350;
/** Number of steps that are shown at once. */
const COLUMNS = innerWidth < 640 ? 3 : 7;

export function NetworkView() {
  const layers = currentSnapshot()?.values.trace;
  const problem = store.problem.value;
  const title = t('networkTitle', { cell: cellName(store.cell.value) });
  return (
    <>
      <Panel
        title={title}
        hint={problem?.attention ? `${t('networkHint')} ${t('decoderHint')}` : t('networkHint')}
        id="network"
        wide
        actions={<Actions />}
      >
        <Pickers step />
        <InputStrip />
        {layers && problem ? <Unrolled layers={layers} problem={problem} /> : <Waiting />}
      </Panel>
      {layers && (
        <Panel title={t('arithmeticTitle')} hint={t('arithmeticHint')} id="arithmetic" wide>
          <Arithmetic layer={layers[Math.min(store.layer.value, layers.length - 1)]} />
        </Panel>
      )}
    </>
  );
}

function Actions() {
  return (
    <div class="options">
      <Play />
      <SaveFigure figure="unrolled" from={Math.max(0, store.step.value - 3)} />
    </div>
  );
}

function Play() {
  const on = playing.value;
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => {
      const steps = store.problem.peek()?.steps ?? 1;
      store.step.value = (store.step.peek() + 1) % steps;
    }, PLAY_MS);
    return () => clearInterval(timer);
  }, [on]);
  useEffect(() => () => (playing.value = false), []);
  return (
    <button type="button" id="play" aria-pressed={on} onClick={() => (playing.value = !on)}>
      {on ? `❚❚ ${t('stopPlaying')}` : `▶ ${t('play')}`}
    </button>
  );
}

let firstShown = 0;

/** Returns the steps to show. They change only when the selected step is not among them, so that nothing moves below the pointer. */
function windowOf(steps: number, step: number): number[] {
  const count = Math.min(COLUMNS, steps);
  const isShown = step >= firstShown && step < firstShown + count && firstShown + count <= steps;
  if (!isShown) firstShown = Math.max(0, Math.min(steps - count, step - Math.floor(count / 2)));
  const first = firstShown;
  return Array.from({ length: count }, (_, k) => first + k);
}

function Unrolled({ layers, problem }: { layers: readonly LayerValues[]; problem: ProblemInfo }) {
  const { value: step } = store.step;
  const columns = windowOf(problem.steps, step);
  const texts = inputTexts(problem, store.example.value);
  return (
    <div class="unrolled" style={{ '--columns': columns.length }}>
      {columns.map((n) => (
        <div key={`y${n}`} class={n === step ? 'node output now' : 'node output'}>
          <Output problem={problem} step={n} />
        </div>
      ))}
      {[...layers]
        .reverse()
        .map((layer, back) =>
          columns.map((n) => (
            <CellBox
              key={`${layer.layer} ${n}`}
              layer={layer}
              index={layers.length - 1 - back}
              step={n}
              first={n === columns[0]}
            />
          )),
        )}
      {columns.map((n) => (
        <div key={`x${n}`} class={n === step ? 'node input now' : 'node input'}>
          <small>{`x${n + 1}`}</small> {texts[n]}
        </div>
      ))}
    </div>
  );
}

function Output({ problem, step }: { problem: ProblemInfo; step: number }) {
  const predictions = currentSnapshot()?.values.predictions;
  const last = (problem.lengths[store.example.value] ?? problem.steps) - 1;
  if (!predictions || !(problem.perStep || step === last)) return <span class="none">·</span>;
  return (
    <>
      <small>{`y${step + 1}`}</small> {outputText(problem, predictions, store.example.value, step)}
    </>
  );
}

function CellBox({
  layer,
  index,
  step,
  first,
}: {
  layer: LayerValues;
  index: number;
  step: number;
  first: boolean;
}) {
  const unit = Math.min(store.unit.value ?? 0, layer.units - 1);
  const states = Object.entries(layer.states);
  const select = (): void => {
    store.step.value = step;
    store.layer.value = index;
  };
  const selected = step === store.step.value && index === store.layer.value;
  const masked = isMasked(step);
  const numbers = states.map(
    ([name, values]) => `${name} ${formatNumber(values[step * layer.units + unit])}`,
  );
  return (
    <button
      type="button"
      class={`node cell${selected ? ' now' : ''}${masked ? ' padding' : ''}`}
      data-first={first}
      data-step={step}
      data-layer={index}
      aria-label={`${layer.layer}, ${t('timeStep')} ${step + 1}: ${numbers.join(', ')}`}
      aria-pressed={selected}
      onClick={select}
      onMouseEnter={select}
      onFocus={select}
    >
      {states.map(([name, values]) => (
        <Strip key={name} values={values.subarray(step * layer.units, (step + 1) * layer.units)} />
      ))}
      <span class="numbers">
        {numbers.map((text) => (
          <span key={text}>{text}</span>
        ))}
      </span>
    </button>
  );
}

/** Returns whether a step of the example is padding. */
function isMasked(step: number): boolean {
  return step >= (store.problem.value?.lengths[store.example.value] ?? Number.POSITIVE_INFINITY);
}

const MAX_BARS = 32;

/** The values of the first units as colours. */
function Strip({ values }: { values: Float32Array }) {
  const table = colorTable('diverging', isDark.value);
  const bars = Array.from(values.subarray(0, MAX_BARS));
  return (
    <svg class="strip" viewBox={`0 0 ${bars.length} 1`} preserveAspectRatio="none" aria-hidden="true">
      {bars.map((value, n) => (
        <rect
          key={n}
          x={n}
          y={0}
          width={1.02}
          height={1}
          fill={cssColor(table[Math.max(0, Math.min(255, Math.round(127.5 * (1 + value))))])}
        />
      ))}
    </svg>
  );
}

function Arithmetic({ layer }: { layer: LayerValues }) {
  const unit = Math.min(store.unit.value ?? 0, layer.units - 1);
  const { value: step } = store.step;
  const masked = isMasked(step);
  const equations = masked ? [] : arithmeticOf(layer, unit, step);
  return (
    <>
      <div class="options">
        <label>
          {t('unit')}
          <input
            type="number"
            id="unit"
            min={1}
            max={layer.units}
            value={unit + 1}
            onChange={(event) => {
              const value = Math.round(Number(event.currentTarget.value)) - 1;
              if (value >= 0 && value < layer.units) store.unit.value = value;
            }}
          />
        </label>
        <span>{`${layer.layer}, ${t('timeStep')} ${step + 1}`}</span>
      </div>
      <dl class="equations" aria-live="polite">
        {equations.map(({ name, formula, numbers, value }) => (
          <div key={name} data-name={name}>
            <dt>
              <i class="name">{name}</i> <small class="about-name">{t(gateText(name))}</small>
            </dt>
            <dd>
              <span>{`= ${formula}`}</span>
              <span>{`= ${numbers}`}</span>
              <b>{`= ${formatNumber(value)}`}</b>
              {isGate(name) && (
                <meter min={0} max={1} value={value} aria-label={`${name} ${formatNumber(value)}`} />
              )}
            </dd>
          </div>
        ))}
      </dl>
      {masked && <p id="masked-step">{t('maskedStep')}</p>}
      {equations.length === 0 && (
        <p>
          {arraysOf(layer)
            .map(([name, values]) => `${name} = ${formatNumber(values[step * layer.units + unit])}`)
            .join(', ')}
        </p>
      )}
    </>
  );
}
