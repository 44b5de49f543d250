/** Converts convolution and pooling over time. ONNX has the channels before the steps: [batch, channels, steps]. */
import { formatShape } from '@unroll/core';
import { transposed } from '../arrays.js';
import type { NodeContext } from '../context.js';
import { computed, type Dimension, knownSize, size } from '../dimensions.js';
import { withModelAxes } from '../layout.js';
import {
  type Axis,
  axisSize,
  current,
  formatShapeOf,
  type ModelTensor,
  newAxis,
  type Value,
} from '../values.js';
import type { Operator } from './operator.js';
import { padded } from './selection.js';

/** The windows of a convolution or pooling over time. */
interface Windows {
  size: number;
  strides: number;
  dilation: number;
  /** Number of zeros before and after the steps. */
  before: number;
  after: number;
  /** True if Unroll's padding `same` applies instead of `before` and `after`. */
  same?: boolean;
  /** The axis of X with the steps. Other axes after the channels have size 1. */
  axis: number;
}

/**
 * Reads the windows of a node. A convolution over images is accepted if windows and sizes are 1 on all axes but one, because
 * exporters write convolutions over time in this way.
 */
function windowsOf(context: NodeContext, x: ModelTensor, kernel: readonly number[]): Windows {
  const rank = kernel.length;
  if (x.onnxAxes.length !== rank + 2)
    throw context.error(`X must have ${rank + 2} axes, got ${x.onnxAxes.length}`);
  const wide = kernel.flatMap((extent, d) =>
    extent !== 1 || knownSize(axisSize(x.onnxAxes[d + 2])) !== 1 ? [d] : [],
  );
  if (wide.length > 1)
    throw context.error(
      `only convolution and pooling over one axis (time) are supported, got the kernel shape ${formatShape(kernel)} and X ${formatShapeOf(x)}`,
    );
  const d = wide[0] ?? rank - 1;
  const ones = kernel.map(() => 1);
  const [strides, dilations] = [context.numbers('strides', ones), context.numbers('dilations', ones)];
  const pads = context.numbers(
    'pads',
    [...ones, ...ones].map(() => 0),
  );
  const changesOtherAxes = [...strides, ...dilations].some((value, i) => i % rank !== d && value !== 1);
  if (changesOtherAxes || pads.some((value, i) => i % rank !== d && value !== 0))
    throw context.error(
      `only the time axis may have strides, dilations or pads, got strides ${formatShape(strides)}, ` +
        `dilations ${formatShape(dilations)} and pads ${formatShape(pads)}`,
    );
  const window = { size: kernel[d], strides: strides[d] ?? 1, dilation: dilations[d] ?? 1, axis: d + 2 };
  return {
    ...window,
    ...padding(context, window, knownSize(axisSize(x.onnxAxes[d + 2])), [pads[d] ?? 0, pads[d + rank] ?? 0]),
  };
}

function padding(
  context: NodeContext,
  { size: extent, strides, dilation }: Pick<Windows, 'size' | 'strides' | 'dilation'>,
  steps: number | null,
  [before, after]: readonly [number, number],
): Pick<Windows, 'before' | 'after' | 'same'> {
  const mode = context.text('auto_pad', 'NOTSET');
  if (mode === 'NOTSET' || mode === '') return { before, after };
  if (mode === 'VALID') return { before: 0, after: 0 };
  const span = (extent - 1) * dilation + 1;
  if (mode === 'SAME_UPPER') return { before: 0, after: 0, same: true };
  if (steps === null && strides !== 1)
    throw context.error(`auto_pad ${mode} with strides needs a known number of steps`);
  const total =
    strides === 1
      ? span - 1
      : Math.max(0, (Math.ceil((steps as number) / strides) - 1) * strides + span - (steps as number));
  const half = Math.floor(total / 2);
  return { before: total - half, after: half };
}

/** Returns the name of Unroll's equivalent padding mode; null if there is none and the sequence must be padded first. */
function paddingName({
  size: extent,
  strides,
  dilation,
  before,
  after,
  same,
}: Windows): 'valid' | 'same' | 'causal' | null {
  if (same) return 'same';
  const total = (extent - 1) * dilation;
  if (before === 0 && after === 0) return 'valid';
  if (strides !== 1 || before + after !== total) return null;
  if (after === 0) return 'causal';
  return before === Math.floor(total / 2) ? 'same' : null;
}

/** Adds a layer with windows over the steps. Its output has the axes of X in the order of ONNX. */
function overSteps(
  context: NodeContext,
  x: ModelTensor,
  windows: Windows,
  layer: {
    className: string;
    config: Record<string, unknown>;
    weights?: Record<string, { shape: number[]; values: Float32Array | Float64Array }>;
    from?: string;
  },
  width: Dimension,
): ModelTensor {
  const { size: extent, strides, dilation, axis } = windows;
  context.requireBatch(x.onnxAxes[0], x, 'the first axis');
  const name = paddingName(windows);
  const paddedX = name ? x : padded(context, x, axis, windows.before, windows.after);
  const input = withModelAxes(context, paddedX, [axis, 1]);
  const padding = name ?? 'valid';
  const config = { ...layer.config, strides, ...(padding !== 'valid' && { padding }) };
  const ref = context.writer.add({ from: context.node.label, ...layer, config, inputs: [input.ref] });
  const span = (extent - 1) * dilation + 1;
  const steps = axisSize(paddedX.onnxAxes[axis]);
  // If the number of steps is unknown, the count is a symbol named by operand, operator and number. For the operand `steps`:
  // - operator `w`, number 3, `(stepsw3)`: the number of positions of a sliding window of size 3
  // - operator `s2w`, number 3, `(stepss2w3)`: the same with strides 2, floor((steps - 3) / 2) + 1
  // - operator `s`, number 2, `(stepss2)`: steps / 2, rounded up
  const windowName = strides === 1 ? 'w' : `s${strides}w`;
  const count =
    padding === 'valid'
      ? computed(
          windowName,
          steps,
          size(span),
          (length, window) => Math.floor((length - window) / strides) + 1,
        )
      : computed('s', steps, size(strides), (length, stride) => Math.ceil(length / stride));
  const outputSteps: Axis =
    (padding === 'valid' && span > 1) || strides > 1 ? newAxis(count) : current(paddedX.onnxAxes[axis]);
  const channels = newAxis(width);
  return {
    ...{ kind: 'tensor', ref, type: 'float' },
    modelAxes: [current(input.modelAxes[0]), outputSteps, channels],
    onnxAxes: x.onnxAxes.map((old, d) => (d === axis ? outputSteps : d === 1 ? channels : current(old))),
  };
}

function convolution(context: NodeContext): Value[] {
  const x = context.tensor(0);
  const { extents, values, name } = context.constant(1, 'the weight W');
  const [filters, inputs, ...kernel] = extents;
  if (kernel.length === 0) throw context.error(`W must have at least 3 axes, got ${extents.length}`);
  const windows = windowsOf(context, x, kernel);
  const groups = context.number('group', 1);
  const bias = context.optionalConstant(2, 'the bias B');
  // [filters, inputs, steps] to [steps, inputs, filters]
  const W = transposed({ extents: [filters, inputs, windows.size], values }, [2, 1, 0]).values;
  const { dilation } = windows;
  return [
    overSteps(
      context,
      x,
      windows,
      {
        className: 'Conv1D',
        config: {
          filters,
          kernelSize: windows.size,
          ...(dilation !== 1 && { dilationRate: dilation }),
          ...(groups !== 1 && { groups }),
          useBias: bias !== null,
        },
        weights: {
          kernel: { shape: [windows.size, inputs, filters], values: W },
          ...(bias && { bias: { shape: [filters], values: bias.values } }),
        },
        ...(name && { from: name }),
      },
      size(filters),
    ),
  ];
}

function pooling(className: string): Operator['convert'] {
  return (context) => {
    const x = context.tensor(0);
    if (context.isOutputRead(1)) throw context.error('its output Indices is not supported');
    const windows = windowsOf(context, x, context.numbers('kernel_shape'));
    if (context.number('ceil_mode', 0) !== 0) throw context.error('ceil_mode is not supported');
    if (windows.dilation !== 1) throw context.error('dilations are not supported');
    const isAverage = className === 'AveragePooling1D';
    // Unroll's average does not count the padding.
    const isPadded = windows.before + windows.after > 0 || windows.same === true;
    const countsPadding = context.number('count_include_pad', 0) !== 0 && isPadded;
    if (countsPadding && windows.same)
      throw context.error('count_include_pad with auto_pad is not supported');
    const name = paddingName(windows);
    if (name === null && !(isAverage && countsPadding))
      throw context.error(
        `pads [${windows.before}, ${windows.after}] are not supported for a kernel of size ${windows.size} with strides ` +
          `${windows.strides}: use no padding, auto_pad SAME_UPPER or, with strides 1, pads that sum to the kernel size - 1, ` +
          'all before the steps or half on each side',
      );
    const config = { poolSize: windows.size };
    const width = axisSize(x.onnxAxes[1]);
    if (!isAverage || !countsPadding) return [overSteps(context, x, windows, { className, config }, width)];
    const paddedX = padded(context, x, windows.axis, windows.before, windows.after);
    return [overSteps(context, paddedX, { ...windows, before: 0, after: 0 }, { className, config }, width)];
  };
}

const WINDOW = ['auto_pad', 'dilations', 'kernel_shape', 'pads', 'strides'];

export const convolutions: Record<string, Operator> = {
  AveragePool: {
    becomes: 'AveragePooling1D',
    attributes: [...WINDOW, 'ceil_mode', 'count_include_pad'],
    convert: pooling('AveragePooling1D'),
    note: 'over one axis',
  },
  Conv: { becomes: 'Conv1D', attributes: [...WINDOW, 'group'], convert: convolution, note: 'over one axis' },
  MaxPool: {
    becomes: 'MaxPooling1D',
    attributes: [...WINDOW, 'ceil_mode', 'storage_order'],
    convert: pooling('MaxPooling1D'),
    note: 'over one axis',
  },
};
