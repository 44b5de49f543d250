// Compares the fused LSTM kernels, forward and backward, with the LSTM equations in double precision.
import {
  Activation,
  Cell,
  callLstmBackward,
  callLstmForward,
  callPack,
  type KernelModule,
  WeightFormat,
} from '@unroll/kernels';
import { Arena, expectClose, someFloats } from './arena.js';
import type { KernelCase } from './kernel-cases.js';

/** T steps, B sequences, I inputs, H units. */
export interface LstmShape {
  T: number;
  B: number;
  I: number;
  H: number;
}

/** Returns the weights, inputs and initial states of one run, and `dy`, the gradients with respect to its outputs. */
export const lstmInputs = ({ T, B, I, H }: LstmShape) => ({
  W: someFloats(I * 4 * H, 11).map((v) => v * 0.5),
  U: someFloats(H * 4 * H, 12).map((v) => v * 0.5),
  b: someFloats(4 * H, 13),
  x: someFloats(T * B * I, 14),
  h0: someFloats(B * H, 15),
  c0: someFloats(B * H, 16),
  dy: someFloats(T * B * H, 17),
});

/**
 * Outputs `y`, states `h` and `c` after every step, and the gradients with respect to the pre-activations of the gates
 * (`dG`) and the initial states. All but `dh0` and `dc0` start with the axes [T, B].
 */
export interface LstmResult {
  y: Float32Array;
  h: Float32Array;
  c: Float32Array;
  dG: Float32Array;
  dh0: Float32Array;
  dc0: Float32Array;
}

/** Runs the LSTM kernels forward and backward. */
export const runLstm = (module: KernelModule, shape: LstmShape): LstmResult => {
  const { T, B, I, H } = shape;
  const { W, U, b, x, h0, c0, dy } = lstmInputs(shape);
  const { kernels } = module;
  const arena = new Arena(module);
  const [cell, format] = [Cell.lstm, WeightFormat.float32];
  const packed = arena.empty(kernels.packed_size(cell, I, H, format));
  callPack(module, {
    ...{ cell, format, I, H, packed },
    ...{ W: arena.floats(W), U: arena.floats(U), b: arena.floats(b) },
  });

  // Row t * B + r contains the inputs x of sequence r at step t, and its state h before step t.
  const rows = new Float32Array((T + 1) * B * (I + H));
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < B; r++)
      rows.set(x.subarray((t * B + r) * I, (t * B + r + 1) * I), (t * B + r) * (I + H));
  }
  for (let r = 0; r < B; r++) rows.set(h0.subarray(r * H, (r + 1) * H), r * (I + H) + I);
  const xh = arena.floats(rows);
  const c = arena.empty((T + 1) * B * H);
  new Float32Array(module.memory.buffer, c, B * H).set(c0);
  const gates = arena.empty(T * B * 4 * H);
  const y = arena.empty(T * B * H);
  const steps = { T, B, I, H, act: Activation.tanh, packed };
  const ract = Activation.sigmoid;
  callLstmForward(module, {
    forward: { steps, xh, back: 0, y, yT: B * H, yB: H },
    ...{ ract, c, cStep: B * H, gates },
  });

  const packedBack = arena.empty(kernels.packed_backward_size(cell, H));
  kernels.pack_backward(cell, H, arena.floats(U), packedBack);
  const dh = arena.floats(new Float32Array(B * H));
  const dc = arena.floats(new Float32Array(B * H));
  const dG = arena.empty(T * B * 4 * H);
  const gradients = { dy: arena.floats(dy), dyT: B * H, dyB: H, dh, dG };
  callLstmBackward(module, {
    backward: { steps: { ...steps, packed: packedBack }, ...gradients },
    ...{ ract, gates, c, dc },
  });
  const states = arena.read(xh, (T + 1) * B * (I + H));
  const h = new Float32Array(T * B * H);
  for (let r = 0; r < T * B; r++) {
    const start = (r + B) * (I + H) + I;
    h.set(states.subarray(start, start + H), r * H);
  }
  return {
    y: arena.read(y, T * B * H),
    h,
    c: arena.read(c + 4 * B * H, T * B * H),
    dG: arena.read(dG, T * B * 4 * H),
    dh0: arena.read(dh, B * H),
    dc0: arena.read(dc, B * H),
  };
};

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** States [T+1, B, H], starting with the initial states, and gates i, f, g, o [T, B, 4H] of every step. */
interface Trace {
  h: Float64Array;
  c: Float64Array;
  gates: Float64Array;
}

/** Computes all states and gates. */
const referenceForward = ({ T, B, I, H }: LstmShape, inputs: ReturnType<typeof lstmInputs>): Trace => {
  const { W, U, b, x, h0, c0 } = inputs;
  const size = B * H;
  const h = new Float64Array((T + 1) * size);
  const c = new Float64Array((T + 1) * size);
  const gates = new Float64Array(T * B * 4 * H);
  h.set(h0);
  c.set(c0);
  for (let row = 0; row < T * B; row++) {
    const offset = row * 4 * H;
    for (let q = 0; q < 4 * H; q++) {
      let z = b[q];
      for (let i = 0; i < I; i++) z += x[row * I + i] * W[i * 4 * H + q];
      for (let j = 0; j < H; j++) z += h[row * H + j] * U[j * 4 * H + q];
      gates[offset + q] = q >= 2 * H && q < 3 * H ? Math.tanh(z) : sigmoid(z);
    }
    for (let j = 0; j < H; j++) {
      const [i, f, g, o] = gatesOf(gates, offset + j, H);
      const unit = row * H + j;
      c[unit + size] = f * c[unit] + i * g;
      h[unit + size] = o * Math.tanh(c[unit + size]);
    }
  }
  return { h, c, gates };
};

/** Returns the gates i, f, g, o of the unit whose gate i is at index `offset`. */
const gatesOf = (gates: Float64Array, offset: number, H: number): [number, number, number, number] => [
  gates[offset],
  gates[offset + H],
  gates[offset + 2 * H],
  gates[offset + 3 * H],
];

/** Computes the gradients by backpropagation through time. */
const referenceBackward = (
  { T, B, H }: LstmShape,
  { U, dy }: ReturnType<typeof lstmInputs>,
  { c, gates }: Trace,
) => {
  const size = B * H;
  const dG = new Float64Array(T * B * 4 * H);
  const dh = new Float64Array(size);
  const dc = new Float64Array(size);
  // From the last step to the first. Within a step, the batch rows are independent.
  for (let row = T * B - 1; row >= 0; row--) {
    const offset = row * 4 * H;
    const state = (row % B) * H;
    for (let j = 0; j < H; j++) {
      const [i, f, g, o] = gatesOf(gates, offset + j, H);
      const unit = row * H + j;
      const dht = dh[state + j] + dy[unit];
      const tanhC = Math.tanh(c[unit + size]);
      const dct = dc[state + j] + dht * o * (1 - tanhC * tanhC);
      dG[offset + j] = dct * g * i * (1 - i);
      dG[offset + H + j] = dct * c[unit] * f * (1 - f);
      dG[offset + 2 * H + j] = dct * i * (1 - g * g);
      dG[offset + 3 * H + j] = dht * tanhC * o * (1 - o);
      dc[state + j] = dct * f;
    }
    for (let j = 0; j < H; j++) {
      let sum = 0;
      for (let q = 0; q < 4 * H; q++) sum += dG[offset + q] * U[j * 4 * H + q];
      dh[state + j] = sum;
    }
  }
  return { dG, dh, dc };
};

/** Computes the result of {@link runLstm} from the LSTM equations, in double precision. */
export const referenceLstm = (shape: LstmShape): LstmResult => {
  const size = shape.B * shape.H;
  const inputs = lstmInputs(shape);
  const trace = referenceForward(shape, inputs);
  const { dG, dh, dc } = referenceBackward(shape, inputs, trace);
  const y = Float32Array.from(trace.h.subarray(size));
  return {
    y,
    h: y,
    c: Float32Array.from(trace.c.subarray(size)),
    dG: Float32Array.from(dG),
    dh0: Float32Array.from(dh),
    dc0: Float32Array.from(dc),
  };
};

const SHAPES: LstmShape[] = [
  { T: 1, B: 1, I: 1, H: 1 },
  { T: 7, B: 3, I: 5, H: 16 },
  { T: 5, B: 13, I: 9, H: 37 },
  { T: 2, B: 3, I: 0, H: 5 },
  { T: 2, B: 0, I: 3, H: 5 },
  { T: 0, B: 3, I: 2, H: 5 },
];

export const lstmCases: KernelCase[] = SHAPES.map((shape) => ({
  name: `lstm forward and backward, ${JSON.stringify(shape).replaceAll('"', '')}`,
  run: (module) => {
    const got = runLstm(module, shape);
    const expected = referenceLstm(shape);
    for (const key of Object.keys(expected) as (keyof LstmResult)[])
      expectClose(got[key], expected[key], 2e-5, key);
  },
}));
