/** The arithmetic of one unit at one step: the equations of the cell, with the values of the unit substituted. */
import { formatNumber } from '../charts/format-number.js';
import type { LayerValues } from '../engine/protocol.js';

export interface Equation {
  name: string;
  /** In letters: `σ(x·W + h′·U + b)`. */
  formula: string;
  /** With numbers: `σ(0.42 − 0.13 + 1)`. */
  numbers: string;
  value: number;
}

/** The parts of a pre-activation that come from the inputs, from the previous hidden state and from the bias. */
interface Parts {
  x: number;
  h: number;
  b: number;
}

const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));
/** Formats a number that follows an operator: a negative number is in parentheses. */
const num = (value: number): string =>
  value < 0 ? `(${formatNumber(value)})`.replace('-', '−') : formatNumber(value);
/** Formats a number at the start of an expression, with a minus sign (−) instead of a hyphen. */
const signed = (value: number): string => formatNumber(value).replace('-', '−');

/** Returns the equations of the cell for a unit at a step; empty for a cell that is not known. */
export function arithmeticOf(layer: LayerValues, unit: number, step: number): Equation[] {
  const cell = new UnitStep(layer, unit, step);
  switch (layer.className) {
    case 'SimpleRNN':
      return simpleRnn(cell);
    case 'LSTM':
      return lstm(cell);
    case 'GRU':
      return gru(cell);
    case 'MinGRU':
      return minGru(cell);
    default:
      return [];
  }
}

/** The values of one unit of a layer at one step. */
class UnitStep {
  readonly #layer: LayerValues;
  readonly #unit: number;
  readonly #step: number;

  constructor(layer: LayerValues, unit: number, step: number) {
    this.#layer = layer;
    this.#unit = unit;
    this.#step = step;
  }

  /** Returns the value of a state before the step. */
  stateBefore(state: string): number {
    return this.#step === 0 ? 0 : this.#at(this.#layer.states[state], this.#step - 1);
  }

  gate(name: string): number {
    return this.#at(this.#layer.gates[name], this.#step);
  }

  #at(values: Float32Array, step: number): number {
    return values[step * this.#layer.units + this.#unit];
  }

  /**
   * Returns the parts of the pre-activation of gate number `g`, for a cell with `count` gates. `bh` is the second bias of a GRU,
   * which belongs to the previous state; otherwise 0.
   */
  parts(g: number, count: number): Parts & { bh: number } {
    const { weights, x, inputs, units, states } = this.#layer;
    const column = g * units + this.#unit;
    const width = count * units;
    const { kernel: W, recurrent_kernel: U, bias } = weights;
    let [fromX, fromH] = [0, 0];
    for (let i = 0; i < inputs; i++) fromX += x[this.#step * inputs + i] * W.values[i * width + column];
    if (U && this.#step > 0) {
      for (let j = 0; j < units; j++)
        fromH += states.h[(this.#step - 1) * units + j] * U.values[j * width + column];
    }
    const hasSecondBias = bias?.shape.length === 2;
    return {
      x: fromX,
      h: fromH,
      b: bias?.values[column] ?? 0,
      bh: hasSecondBias ? bias.values[width + column] : 0,
    };
  }
}

const SUM = 'x·W + h′·U + b';

/** Returns the equation for σ or tanh of a sum of three parts. */
function activationEquation(name: string, phi: 'σ' | 'tanh', { x, h, b }: Parts, value: number): Equation {
  const total = x + h + b;
  return {
    name,
    formula: `${phi}(${SUM})`,
    numbers: `${phi}(${signed(x)} + ${num(h)} + ${num(b)}) = ${phi}(${signed(total)})`,
    value,
  };
}

function simpleRnn(cell: UnitStep): Equation[] {
  const parts = cell.parts(0, 1);
  return [activationEquation('h', 'tanh', parts, Math.tanh(parts.x + parts.h + parts.b))];
}

function lstm(cell: UnitStep): Equation[] {
  const gates = ['i', 'f', 'g', 'o'].map((name, g) => {
    const parts = cell.parts(g, 4);
    const total = parts.x + parts.h + parts.b;
    return activationEquation(
      name,
      name === 'g' ? 'tanh' : 'σ',
      parts,
      name === 'g' ? Math.tanh(total) : sigmoid(total),
    );
  });
  const [i, f, g, o] = gates.map(({ value }) => value);
  const before = cell.stateBefore('c');
  const c = f * before + i * g;
  return [
    ...gates,
    { name: 'c', formula: 'f·c′ + i·g', numbers: `${num(f)}·${num(before)} + ${num(i)}·${num(g)}`, value: c },
    { name: 'h', formula: 'o·tanh(c)', numbers: `${num(o)}·tanh(${signed(c)})`, value: o * Math.tanh(c) },
  ];
}

function gru(cell: UnitStep): Equation[] {
  const [z, r] = ['z', 'r'].map((name, g) => {
    const { x, h, b, bh } = cell.parts(g, 3);
    return activationEquation(name, 'σ', { x, h, b: b + bh }, sigmoid(x + h + b + bh));
  });
  const { x, h, b, bh } = cell.parts(2, 3);
  const n = Math.tanh(x + b + r.value * (h + bh));
  const before = cell.stateBefore('h');
  const next = z.value * before + (1 - z.value) * n;
  return [
    z,
    r,
    {
      name: 'n',
      formula: 'tanh(x·W + b + r·(h′·U + b′))',
      numbers: `tanh(${signed(x + b)} + ${num(r.value)}·${num(h + bh)})`,
      value: n,
    },
    interpolationEquation('z·h′ + (1 − z)·n', z.value, before, n, next),
  ];
}

function minGru(cell: UnitStep): Equation[] {
  const [z, n] = ['z', 'n'].map((name, g) => {
    const { x, b } = cell.parts(g, 2);
    const total = x + b;
    const value = name === 'z' ? sigmoid(total) : Math.max(total + 0.5, sigmoid(total));
    const phi = name === 'z' ? 'σ' : 'φ';
    return {
      name,
      formula: `${phi}(x·W + b)`,
      numbers: `${phi}(${signed(x)} + ${num(b)}) = ${phi}(${signed(total)})`,
      value,
    };
  });
  const before = cell.stateBefore('h');
  const next = (1 - z.value) * before + z.value * n.value;
  return [z, n, interpolationEquation('(1 − z)·h′ + z·n', 1 - z.value, before, n.value, next)];
}

const interpolationEquation = (
  formula: string,
  keep: number,
  before: number,
  n: number,
  value: number,
): Equation => ({
  name: 'h',
  formula,
  numbers: `${num(keep)}·${num(before)} + ${num(1 - keep)}·${num(n)}`,
  value,
});
