/** Gradient flow: how much of the derivative of the last output reaches the states of earlier steps. */
import { signal } from '@preact/signals';
import { formatNumber } from '../charts/format-number.js';
import { type Line, LineChart } from '../charts/line-chart.js';
import { cellColors, ink } from '../charts/palette.js';
import type { FlowCurve } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import type { CellKind } from '../state/settings.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel, Waiting } from '../ui/panel.js';

const withCellState = signal(true);
const withQuantiles = signal(false);
const withForgetProduct = signal(false);

export function GradientsView() {
  return (
    <>
      <Panel title={t('flowTitle')} hint={t('flowHint')} id="flow" wide actions={<FlowOptions />}>
        <FlowChart height={360} />
      </Panel>
      <Panel title={t('flowTable')} hint={t('flowTableHint')} id="flow-table" wide>
        <FlowTable />
      </Panel>
    </>
  );
}

/** A chart with the curves of the first recurrent layer of each cell. */
export function FlowChart({ height }: { height: number }) {
  const lines = store.settings.value.cells.flatMap(linesFor);
  if (lines.length === 0) return <Waiting />;
  return (
    <LineChart
      label={t('flowTitle')}
      lines={[...lines, ...clipLine(lines)]}
      xLabel={t('lag')}
      yLabel={t(store.flowIsRelative.value ? 'flowRelative' : 'flowRaw')}
      height={height}
      log
    />
  );
}

function flowOf(cell: CellKind, isRelative = true) {
  const values = store.snapshots.value[cell]?.values;
  const flow = isRelative ? values?.flow : values?.lossFlow;
  const first = flow?.curves[0]?.layer;
  return flow && { ...flow, curves: flow.curves.filter(({ layer }) => layer === first) };
}

const lagsOf = (values: ArrayLike<number>): number[] => Array.from(values, (_, lag) => lag);

/** Returns the curves of a cell. On a logarithmic axis, a curve ends at values of 0 and NaN (no such lag). */
function linesFor(cell: CellKind): Line[] {
  const flow = flowOf(cell, store.flowIsRelative.value);
  if (!flow) return [];
  const color = cellColors.value[cell];
  const line = (name: string, y: Float64Array, rest: Partial<Line>): Line => ({
    name,
    color,
    x: lagsOf(y),
    y,
    ...rest,
  });
  const valuesOf = (curve: FlowCurve): Float64Array =>
    store.flowIsRelative.value ? curve.relative : curve.raw;
  const states = flow.curves
    .filter(({ state }) => state === 'h' || withCellState.value)
    .map((curve) =>
      line(
        `${cellName(cell)} ∂/∂${curve.state}`,
        valuesOf(curve),
        curve.state === 'h' ? { width: 2 } : { dash: [6, 3] },
      ),
    );
  const [h] = flow.curves;
  const range = withQuantiles.value && store.flowIsRelative.value && h ? [h.low, h.high] : [];
  return [
    ...states,
    ...range.map((y, n) => line(`${cellName(cell)} ${n === 0 ? '10 %' : '90 %'}`, y, { width: 0.75 })),
    ...(withForgetProduct.value && flow.forgetProduct
      ? [line(`${cellName(cell)} ∏ ${t('keepGate')}`, flow.forgetProduct, { dash: [2, 3] })]
      : []),
  ];
}

function clipLine(lines: readonly Line[]): Line[] {
  const { clip } = store.settings.value;
  if (store.flowIsRelative.value || clip <= 0) return [];
  const end = Math.max(1, ...lines.map(({ x }) => x.length - 1));
  return [{ name: t('clip'), color: ink.value.faint, x: [0, end], y: [clip, clip], dash: [2, 4] }];
}

const OPTIONS = {
  flowRelative: store.flowIsRelative,
  cellState: withCellState,
  quantiles: withQuantiles,
  forgetProduct: withForgetProduct,
};

function FlowOptions() {
  return (
    <div class="options">
      {Object.entries(OPTIONS).map(([name, option]) => (
        <label key={name}>
          <input
            type="checkbox"
            id={`flow-${name}`}
            checked={option.value}
            onChange={() => (option.value = !option.value)}
          />
          {t(name as keyof typeof OPTIONS)}
        </label>
      ))}
    </div>
  );
}

/** A table of the relative gradients of each cell at some lags. */
function FlowTable() {
  const rows = store.settings.value.cells.flatMap((cell) => {
    const flow = flowOf(cell);
    return flow ? [{ cell, ...flow }] : [];
  });
  const length = store.problem.value?.steps ?? 0;
  const lags = [1, 2, 5, 10, 20, 50, 100, 200].filter((lag) => lag < length);
  if (rows.length === 0) return <Waiting />;
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">{t('cell')}</th>
            {lags.map((lag) => (
              <th key={lag} scope="col">{`k = ${lag}`}</th>
            ))}
            <th scope="col">{t('reachesBack')}</th>
            <th scope="col">{t('spectralRadius')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ cell, curves, spectralRadius }) => {
            const values = curves[0].relative;
            return (
              <tr key={cell}>
                <th scope="row">{cellName(cell)}</th>
                {lags.map((lag) => (
                  <td key={lag}>{Number.isFinite(values[lag]) ? formatNumber(values[lag]) : '–'}</td>
                ))}
                <td>{largestLagOf(values)}</td>
                <td>
                  {spectralRadius
                    ? Object.entries(spectralRadius)
                        .map(([gate, radius]) => `${gate} ${formatNumber(radius)}`)
                        .join(', ')
                    : '–'}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Returns the largest lag at which at least 1 % of the gradient at lag 0 is left. */
function largestLagOf(relativeValues: Float64Array): number {
  let lag = relativeValues.length - 1;
  while (lag > 0 && !(relativeValues[lag] >= 0.01)) lag--;
  return lag;
}
