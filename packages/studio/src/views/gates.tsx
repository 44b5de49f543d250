/** Heat maps of gates and states, and state traces with a brush that selects units. */
import { computed, signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { formatNumber } from '../charts/format-number.js';
import { HeatMap } from '../charts/heat-map.js';
import type { LayerValues } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { currentSnapshot, Panel, Pickers, Waiting } from '../ui/panel.js';
import { SaveFigure } from './figures.js';
import { InputStrip } from './inputs.js';
import { ORDERS, type OrderName, unitOrder } from './order.js';
import { StateTraces } from './state-traces.js';

const order = signal<OrderName>('index');
const threshold = signal(0);
/** Name of the array by which the units of all maps are sorted; empty: each map is sorted by its values. */
const orderBy = signal<string>('');

/** The layer that is shown. */
export const currentLayer = computed<LayerValues | null>(() => {
  const layers = store.snapshots.value[store.cell.value]?.values.trace ?? [];
  return layers[Math.min(store.layer.value, layers.length - 1)] ?? null;
});

export function GatesView() {
  const layer = currentLayer.value;
  return (
    <>
      <Panel
        title={t('gatesTitle', { cell: cellName(store.cell.value) })}
        hint={t('gatesHint')}
        id="gates"
        wide
        actions={<Options />}
      >
        <Pickers layer step />
        <InputStrip />
        <GateMaps height={132} />
        <MaskNote />
        <Readout />
      </Panel>
      {layer && (
        <Panel title={t('tracesTitle')} hint={t('tracesHint')} id="traces" wide>
          <StateTraces layer={layer} />
        </Panel>
      )}
    </>
  );
}

/** All gates, then the states. */
export const arraysOf = ({ gates, states }: LayerValues): [name: string, values: Float32Array][] => [
  ...Object.entries(gates),
  ...Object.entries(states),
];

/** Returns whether this is the name of a gate, with values from 0 to 1. Candidates (g, n) and states can be negative. */
export const isGate = (name: string): boolean => /(^|\.)(i|f|o|z|r)$/.test(name);

/** One heat map per gate and state. @param maxMaps largest number of maps */
export function GateMaps({ height, maxMaps = 99 }: { height: number; maxMaps?: number }) {
  const layer = currentLayer.value;
  if (!currentSnapshot() || !layer) return <Waiting />;
  const arrays = arraysOf(layer);
  const sortValues = arrays.find(([name]) => name === orderBy.value)?.[1];
  // If there are too many arrays, candidates are left out, and the last arrays are shown: gates and states.
  const drawn =
    arrays.length > maxMaps
      ? arrays.filter(([name]) => name !== 'g' && name !== 'n').slice(-maxMaps)
      : arrays;
  return (
    <div class="maps">
      {drawn.map(([name, values]) => (
        <GateMap
          key={name}
          name={name}
          values={values}
          sortValues={sortValues ?? values}
          layer={layer}
          height={height}
        />
      ))}
    </div>
  );
}

interface GateMapProps {
  name: string;
  values: Float32Array;
  /** The values by which the units are sorted. */
  sortValues: Float32Array;
  layer: LayerValues;
  height: number;
}

function GateMap({ height, name, values, sortValues, layer: { units } }: GateMapProps) {
  const steps = values.length / units;
  const isShare = isGate(name);
  // The limit and the order take time for many units, so they are computed again only if needed.
  const limit = useMemo(
    () =>
      isShare
        ? 1
        : Math.max(
            0.05,
            values.reduce((max, value) => Math.max(max, Math.abs(value)), 0),
          ),
    [values, isShare],
  );
  const sorted = useMemo(
    () => unitOrder(sortValues, steps, units, order.value),
    [sortValues, steps, units, order.value],
  );
  const heat = {
    ...{ values, steps, units, order: sorted },
    validSteps: store.problem.value?.lengths[store.example.value] ?? steps,
    ...{ low: isShare ? 0 : -limit, high: limit, threshold: threshold.value * limit },
    scale: isShare ? ('sequential' as const) : ('diverging' as const),
  };
  return (
    <figure class="map" data-gate={name}>
      <figcaption>
        <b>{name}</b> {t(gateText(name))}
        <span class="scale">{heat.low === 0 ? '0 … 1' : `±${formatNumber(heat.high)}`}</span>
      </figcaption>
      <HeatMap
        {...heat}
        height={height}
        label={`${name}, ${t(gateText(name))}`}
        step={store.step.value}
        unit={store.unit.value}
        onPick={(step, unit) => {
          store.step.value = step;
          store.unit.value = unit;
        }}
      />
    </figure>
  );
}

const TEXTS = {
  i: 'gate_i',
  f: 'gate_f',
  g: 'gate_g',
  o: 'gate_o',
  z: 'gate_z',
  r: 'gate_r',
  n: 'gate_n',
  h: 'gate_h',
  a: 'gate_attention',
  c: 'gate_c',
} as const;

export const gateText = (name: string): (typeof TEXTS)[keyof typeof TEXTS] | 'gate_other' =>
  TEXTS[name as keyof typeof TEXTS] ?? 'gate_other';

function Options() {
  const layer = currentLayer.value;
  return (
    <div class="options">
      <label>
        {t('sort')}
        <select
          id="order"
          value={order.value}
          onChange={(event) => (order.value = event.currentTarget.value as OrderName)}
        >
          {ORDERS.map((name) => (
            <option key={name} value={name}>
              {t(`order_${name}`)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t('sortBy')}
        <select
          id="order-by"
          value={orderBy.value}
          onChange={(event) => (orderBy.value = event.currentTarget.value)}
        >
          <option value="">{t('eachMap')}</option>
          {layer && arraysOf(layer).map(([name]) => <option key={name}>{name}</option>)}
        </select>
      </label>
      <SaveFigure figure="gates" />
      <label>
        {t('threshold')} <b class="value">{threshold.value.toFixed(2)}</b>
        <input
          type="range"
          id="threshold"
          min={0}
          max={1}
          step={0.01}
          value={threshold.value}
          onInput={(event) => (threshold.value = Number(event.currentTarget.value))}
        />
      </label>
    </div>
  );
}

/** Says which steps are blank because they are padding. */
export function MaskNote() {
  const problem = store.problem.value;
  const length = problem?.lengths[store.example.value] ?? 0;
  if (!problem || length >= problem.steps) return null;
  return (
    <p class="readout" id="masked">
      {t('maskedSteps', { from: length + 1, to: problem.steps })}
    </p>
  );
}

/** The numbers of the selected unit at the selected step. */
function Readout() {
  const layer = currentLayer.value;
  const { value: unit } = store.unit;
  const { value: step } = store.step;
  if (!layer || unit === null) return <p class="readout">{t('pickUnit')}</p>;
  const numbers = arraysOf(layer).map(
    ([name, values]) => `${name} = ${formatNumber(values[step * layer.units + unit])}`,
  );
  return (
    <p class="readout" id="readout" aria-live="polite">
      {t('unitAtStep', { unit: unit + 1, step: step + 1 })} <code>{numbers.join('  ')}</code>
    </p>
  );
}
