/**
 * The interface between tensors and the code that computes them. A backend owns memory (opaque `Block`s) and
 * implements the kernels below. There are three implementations: `reference` (plain TypeScript, float32 or float64:
 * the specification), and `cpu` over WebAssembly or over the native addon. This file imports none of them; the
 * contract suite (packages/testkit) runs against each.
 *
 * Kernels compute on row-major blocks; sizes, offsets and strides count elements. They do not allocate results: the
 * caller passes the output blocks. Letters: B batch, T time steps, I input features, H hidden units.
 */

/** How a matrix of weights can be stored without changing a value: `float16` in half the bytes. */
export type WeightFormatName = 'float32' | 'float16';

export type FloatArray = Float32Array | Float64Array;

/** Memory of one backend: `length` consecutive elements. Opaque outside its backend. */
export interface Block {
  readonly length: number;
}

export type UnaryName =
  | 'neg' | 'abs' | 'sign' | 'square' | 'sqrt' | 'reciprocal' | 'exp' | 'log' | 'tanh' | 'sigmoid' | 'hardSigmoid'
  | 'relu' | 'softplus' | 'floor' | 'log1p' | 'erf' | 'isFinite'; // biome-ignore format: a list
export type BinaryName =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'max'
  | 'min'
  | 'pow'
  | 'eq'
  | 'gt'
  | 'ge'
  | 'tanhGrad'
  | 'sigmoidGrad'
  | 'hardSigmoidGrad'
  | 'reluGrad';
export type ReduceName = 'sum' | 'max' | 'min' | 'sumSquares';
/** Activations that the fused cells support. */
export type ActivationName = 'tanh' | 'sigmoid' | 'relu' | 'hardSigmoid' | 'linear';

export interface GemmShape {
  m: number;
  n: number;
  k: number;
  /** `a` is stored [k, m] instead of [m, k]. */
  transA?: boolean;
  /** `b` is stored [n, k] instead of [k, n]. */
  transB?: boolean;
  /** Elements between the starts of stored rows. Default: the matrices are dense. */
  lda?: number;
  ldb?: number;
  ldc?: number;
  /** y += product instead of y = product. */
  add?: boolean;
  /** [n], added to every row of the product. Cannot be combined with `add`. */
  bias?: Block | null;
  /** Number of products, with the distances between their matrices (0: the matrix is shared). */
  batch?: number;
  strideA?: number;
  strideB?: number;
  strideC?: number;
}

/** The position of a sequence [T, B, H] in a larger block: element (t, b, u) is at offset + t*T + b*B + u. */
export interface SequenceView {
  block: Block;
  offset: number;
  strideT: number;
  strideB: number;
}

/** The arguments that all fused recurrent kernels share. */
export interface RecurrentCall {
  T: number;
  B: number;
  H: number;
  /** Activation of the candidate and the output. */
  activation: ActivationName;
  /** Recurrent dropout mask [B, H], already scaled; applied to h' in the products only. */
  rmask: Block | null;
  /** [T, B]: 1 valid; 0: the step keeps every state. */
  mask: Block | null;
  /** Output mask [T, B]: y = outputMask ? h : 0; null iff `mask` is. */
  outputMask: Block | null;
}

export interface ForwardCall extends RecurrentCall {
  I: number;
  W: Block; // [I, G*H]
  U: Block; // [H, G*H]
  b: Block | null;
  /**
   * [T+1, B, I+H]: x_t then h_{t-1} (times rmask). The caller fills x in rows 0..T-1 and h in row 0. If `x` is given,
   * the block is [2, B, I+H]: row t % 2 takes the place of row t, and the kernel fills x.
   */
  xh: Block;
  /** [B, T, I]: the inputs, for inference with at least `minBatchForStepCopies` rows. */
  x: Block | null;
  /** x is read from the last step to the first. */
  reverse: boolean;
  /** [T+1, B, H] h without dropout; present iff `rmask` is. Row 0 is the initial state. */
  hs: Block | null;
  y: SequenceView | null;
}

export interface BackwardCall extends RecurrentCall {
  U: Block;
  dy: SequenceView | null;
  dh: Block; // [B, H] in: gradient of the last state, out: of the initial one
  dhAll: Block | null; // [T, B, H] out, on request: the gradient of every h_t
}

export interface LstmForwardCall extends ForwardCall {
  recurrentActivation: ActivationName;
  /** [T+1, B, H], or [B, H] updated in place when `keepCells` is false; row 0 holds the initial cell state. */
  c: Block;
  keepCells: boolean;
  /** [T, B, 4H] gates i f g o after activation, needed for backward. */
  gates: Block | null;
}

export interface LstmBackwardCall extends BackwardCall {
  recurrentActivation: ActivationName;
  gates: Block;
  c: Block; // [T+1, B, H]
  dc: Block; // [B, H] like dh
  dG: Block; // [T, B, 4H] out
  dcAll: Block | null;
}

/** The plain recurrent cell: h = act(x W + h' U + b). */
export type RnnForwardCall = ForwardCall;

export interface RnnBackwardCall extends BackwardCall {
  I: number;
  xh: Block;
  hs: Block | null;
  dG: Block; // [T, B, H] out
}

interface GruVariant {
  recurrentActivation: ActivationName;
  /** The reset gate acts on h' U (bias [2, 3H]) instead of on h' (bias [3H]). */
  resetAfter: boolean;
  /** h = (1-z) h' + z n instead of h = z h' + (1-z) n. */
  textbook: boolean;
}

export interface GruForwardCall extends ForwardCall, GruVariant {
  /** Needed for backward. Reset after: [T, B, 4H] z r n and q = h' Un + b1n. Reset before: [T, B, 3H] z r n. */
  gates: Block | null;
  /** Reset before: [T, B, H] r * h' (times rmask), needed for backward. */
  rh: Block | null;
}

export interface GruBackwardCall extends BackwardCall, GruVariant {
  I: number;
  xh: Block;
  hs: Block | null;
  gates: Block;
  /** Out. Reset after: [T, B, 4H] dz dr dn dq. Reset before: [T, B, 3H] dz dr dn. */
  dG: Block;
}

/** Optimizers. Below, d = g * gScale; w is multiplied by 1 - decay before the change is subtracted. */
export interface OptimizerCall {
  /** Weights, updated in place. */
  w: Block;
  g: Block;
  decay: number;
  gScale: number;
}

/** m = keep m + fresh d; w -= rateM m + rateG d. Without m: w -= rateG d. */
export interface SgdCall extends OptimizerCall {
  m: Block | null;
  keep: number;
  fresh: number;
  rateM: number;
  rateG: number;
}

/**
 * v = keep v + fresh d²; with mean: mean = keep mean + fresh d, and v - mean² in place of v below;
 * q = d / (√(v + inside) + outside); m = momentum m + rateQ q (without m: rateQ q); w -= rateM m.
 */
export interface RmspropCall extends OptimizerCall {
  v: Block;
  mean: Block | null;
  m: Block | null;
  keep: number;
  fresh: number;
  inside: number;
  outside: number;
  momentum: number;
  rateQ: number;
  rateM: number;
}

export interface MomentsCall extends OptimizerCall {
  m: Block;
  v: Block;
  beta1: number;
  beta2: number;
  epsilon: number;
  vScale: number;
}

/** m = beta1 m + (1 - beta1) d; v = beta2 v + (1 - beta2) d²; w -= rate m / (√v vScale + epsilon). */
export interface AdamCall extends MomentsCall {
  rate: number;
}

/** m and v as in Adam; w -= (rateM m + rateG d) / (√v vScale + epsilon). */
export interface NadamCall extends MomentsCall {
  rateM: number;
  rateG: number;
}

/** The kernels of a backend. {@link Backend.supports} refers to them by name. */
export interface Kernels {
  fill(y: Block, value: number): void;
  /** y[offsetY + i·stridesY] = x[offsetX + i·stridesX] for every index i of `shape`; negative strides reverse. */
  copy(
    x: Block,
    offsetX: number,
    stridesX: readonly number[],
    y: Block,
    offsetY: number,
    stridesY: readonly number[],
    shape: readonly number[],
  ): void;
  unary(op: UnaryName, x: Block, y: Block): void;
  /** y (dense, `shape`) = op(a, b), a and b read with strides (0: broadcast). */
  binary(
    op: BinaryName,
    a: Block,
    stridesA: readonly number[],
    b: Block,
    stridesB: readonly number[],
    y: Block,
    shape: readonly number[],
  ): void;
  /** y[outer, inner] = op over the middle axis of x[outer, n, inner]. */
  reduce(op: ReduceName, x: Block, y: Block, outer: number, n: number, inner: number): void;
  /** y += scale * x */
  accumulate(y: Block, x: Block, scale: number): void;
  gemm(a: Block, b: Block, y: Block, shape: GemmShape): void;
  softmax(x: Block, y: Block, rows: number, n: number, log: boolean): void;
  /** y[i] = table[ids[i]], rows of `width` elements. */
  gather(table: Block, ids: Block, y: Block, width: number): void;
  /** table[ids[i]] += g[i] */
  scatterAdd(table: Block, ids: Block, g: Block, width: number): void;
  /** Uniform numbers in [0, 1) from the counter-based stream (see random.ts). */
  randomUniform(key: readonly [number, number], counter: number, y: Block): void;
  /** Inverted dropout mask: `scale` with probability `keep`, else 0. */
  randomMask(key: readonly [number, number], counter: number, y: Block, keep: number, scale: number): void;
  sgd(call: SgdCall): void;
  rmsprop(call: RmspropCall): void;
  adam(call: AdamCall): void;
  nadam(call: NadamCall): void;
  rnnForward(call: RnnForwardCall): void;
  rnnBackward(call: RnnBackwardCall): void;
  lstmForward(call: LstmForwardCall): void;
  lstmBackward(call: LstmBackwardCall): void;
  gruForward(call: GruForwardCall): void;
  gruBackward(call: GruBackwardCall): void;
}
export type KernelName = keyof Kernels;

export interface Backend {
  /** `reference`, `cpu` or another family of backends. */
  readonly name: string;
  /** The build in words: "native avx512, 2 threads". */
  readonly description: string;
  readonly float: Float32ArrayConstructor | Float64ArrayConstructor;
  readonly kernels: Kernels;
  supports(kernel: KernelName): boolean;
  /** Batch size from which inference kernels of recurrent cells copy their inputs one time step at a time. */
  readonly minBatchForStepCopies: number;
  /** Zeroed memory that lives until `release`. */
  allocate(length: number): Block;
  release(block: Block): void;
  /** Memory of the innermost open arena, not zeroed. */
  temporary(length: number): Block;
  openArena(): void;
  closeArena(): void;
  /** A part of a block, sharing its memory. */
  view(block: Block, offset: number, length: number): Block;
  write(block: Block, data: ArrayLike<number>): void;
  /**
   * Says that `format` represents every value of the block exactly, until the next write to its allocation: kernels may
   * then store packed copies of it in that format. Missing if no kernel of the backend reads another format than float32.
   */
  setWeightFormat?(block: Block, format: WeightFormatName): void;
  /**
   * A copy of the values at the time of the call, in an array owned by the garbage collector. The block may be
   * written or released immediately after the call.
   */
  read(block: Block): Promise<FloatArray>;
  /**
   * Like `read`, but synchronous: copies to `to` (of the same length) or to a new array. Only backends whose memory
   * the CPU can read implement it; everything except the code listed in tools/sync-reads.mjs works without it.
   */
  readSync?(block: Block, to?: FloatArray): FloatArray;
}
