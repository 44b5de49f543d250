/**
 * The interface of backends, in one file because a backend implements all of it. A backend owns memory (`Block`) and
 * implements the kernels below. There are two backend families: `reference` (plain TypeScript in float32 or float64, the
 * specification) and `cpu` (the backends `native` and `wasm`, with the same kernels). The contract suite in packages/testkit
 * tests all of them.
 *
 * Kernels compute on row-major blocks and write results to blocks of the caller. Sizes, offsets and strides count
 * elements. Letters: B batch, T time steps, I input features, H hidden units, G gates.
 */

/** A format in which kernels can store a matrix of weights; `float16` needs half the bytes of `float32`. */
export type WeightFormatName = 'float32' | 'float16';

export type FloatArray = Float32Array | Float64Array;

/** Memory of one backend: `length` consecutive elements. Only the backend can access the elements. */
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

/** The sizes and layout of the product y [m, n] = a [m, k] b [k, n]. */
export interface GemmShape {
  m: number;
  n: number;
  k: number;
  /** True if `a` is stored as [k, m]. */
  transA?: boolean;
  /** True if `b` is stored as [n, k]. */
  transB?: boolean;
  /** Distances between the starts of stored rows of a, b and y. Default: the rows are adjacent. */
  lda?: number;
  ldb?: number;
  ldc?: number;
  /** True: adds the product to y. Default: overwrites y. */
  add?: boolean;
  /** [n], added to every row of the product. Cannot be combined with `add`. */
  bias?: Block | null;
  /** Number of products, and the distances between their matrices (0: all products use the same matrix). */
  batch?: number;
  strideA?: number;
  strideB?: number;
  strideC?: number;
}

/** The position of a sequence [T, B, H] in a larger block: unit u of batch row b at step t is at
 * offset + t*strideT + b*strideB + u. */
export interface SequenceView {
  block: Block;
  offset: number;
  strideT: number;
  strideB: number;
}

/** Arguments of all fused recurrent kernels, forward and backward. h' is the previous state h_{t-1}. */
export interface RecurrentCall {
  T: number;
  B: number;
  H: number;
  /** Activation of the candidate and the output. */
  activation: ActivationName;
  /** Recurrent dropout mask [B, H] of 0 and 1 / (1 - rate), which multiplies h' in matrix products only; null: no dropout. */
  rmask: Block | null;
  /** Mask [T, B]: 1 at valid steps. At steps with 0 (padding), all states keep their values. */
  mask: Block | null;
  /** Output mask [T, B]: y is h at steps with 1, and 0 at steps with 0. Null if and only if `mask` is null. */
  outputMask: Block | null;
}

/** Arguments of the forward kernels of all recurrent cells. */
export interface RecurrentForwardCall extends RecurrentCall {
  I: number;
  W: Block; // [I, G*H]
  U: Block; // [H, G*H]
  b: Block | null;
  /**
   * [T+1, B, I+H]: entry t contains x_t, followed by h_{t-1} times rmask. The caller fills x in the entries 0 to T-1,
   * and h in entry 0. If `x` is given, the block is [2, B, I+H]: step t uses entry t % 2, and the kernel copies x_t to it.
   */
  xh: Block;
  /** The inputs [B, T, I], for inference with a batch of at least `minBatchForStepCopies`; otherwise null. */
  x: Block | null;
  /** True: the kernel reads `x` from the last step to the first. */
  reverse: boolean;
  /** [T+1, B, H]: h before recurrent dropout, from the initial state on. Null if and only if `rmask` is null. */
  hs: Block | null;
  /** The outputs of all steps; null: not requested. */
  y: SequenceView | null;
}

/** Arguments of the backward kernels of all recurrent cells. */
export interface RecurrentBackwardCall extends RecurrentCall {
  U: Block;
  /** Gradient of the outputs of all steps; null: zero. */
  dy: SequenceView | null;
  /** [B, H]. In: gradient of the final state. Out: gradient of the initial state. */
  dh: Block;
  /** Out [T, B, H]: gradient of every h_t; null: not requested. */
  dhAll: Block | null;
}

export interface LstmForwardCall extends RecurrentForwardCall {
  recurrentActivation: ActivationName;
  /** [T+1, B, H]: the cell states, from the initial state on. If `keepCells` is false: [B, H], updated in place. */
  c: Block;
  keepCells: boolean;
  /** [T, B, 4H] gates i f g o after activation, needed for backward. */
  gates: Block | null;
}

export interface LstmBackwardCall extends RecurrentBackwardCall {
  recurrentActivation: ActivationName;
  gates: Block;
  c: Block; // [T+1, B, H]
  /** [B, H]. In: gradient of the final cell state. Out: gradient of the initial cell state. */
  dc: Block;
  /** Out [T, B, 4H]: gradient of the gates before activation. */
  dG: Block;
  /** Out [T, B, H]: gradient of every c_t; null: not requested. */
  dcAll: Block | null;
}

/** The simple recurrent cell: h = act(x W + h' U + b). */
export type RnnForwardCall = RecurrentForwardCall;

export interface RnnBackwardCall extends RecurrentBackwardCall {
  I: number;
  xh: Block;
  hs: Block | null;
  /** Out [T, B, H]: gradient of h before activation. */
  dG: Block;
}

/**
 * Arguments of the kernels of conditional random fields with K tags. The score of a sequence of tags is the sum of the
 * start score of the first tag, the emission of each step, the transition of each pair of adjacent steps, and the end
 * score of the last tag. A score of -∞ rules a tag or transition out. Masked steps are skipped.
 */
export interface CrfCall {
  B: number;
  T: number;
  K: number;
  emissions: Block; // [B, T, K]
  /** [K, K], from the tag of the row to the tag of the column. */
  transitions: Block;
  start: Block; // [K]
  end: Block; // [K]
  /** [B, T] integers; masked steps are not read. */
  tags: Block;
  /** [B, T], 1 for valid steps; null: all are valid. */
  mask: Block | null;
}

export interface CrfForwardCall extends CrfCall {
  /** Out [B]: -log P(tags); 0 for a sequence without a valid step. */
  losses: Block;
}

export interface CrfBackwardCall extends CrfCall {
  g: Block; // [B], gradients of the losses
  /** Out [B, T, K], 0 at masked steps. */
  dEmissions: Block;
  dTransitions: Block; // out [K, K]
  dStart: Block; // out [K]
  dEnd: Block; // out [K]
}

/** Layer normalisation of the rows of x [rows, n]: y = gamma (x - mean) / √(variance + epsilon) + beta. */
export interface LayerNormCall {
  rows: number;
  n: number;
  x: Block;
  gamma: Block | null; // [n]; null: ones
  beta: Block | null; // [n]; null: zeros
  epsilon: number;
  y: Block;
  /** Out [rows, 2], needed for backward: the mean and 1 / √(variance + epsilon) of each row; null: not requested. */
  statistics: Block | null;
}

export interface LayerNormBackwardCall {
  rows: number;
  n: number;
  x: Block;
  gamma: Block | null;
  statistics: Block;
  dy: Block; // [rows, n]
  /** Out; null: not requested. */
  dx: Block | null;
  dgamma: Block | null; // [n]
  dbeta: Block | null; // [n]
}

interface LstmGatesSizes {
  B: number;
  H: number;
  activation: ActivationName;
  recurrentActivation: ActivationName;
}

/**
 * One step of an LSTM, for cells without a kernel for whole sequences: computes the gates from their pre-activations a, and
 * c = f c' + i g.
 */
export interface LstmGatesCall extends LstmGatesSizes {
  a: Block; // [B, 4H], i f g o
  /** c', [B, H] */
  before: Block;
  /** Out: c, [B, H]. */
  after: Block;
  /** Out: the output gate after activation, [B, H]. */
  o: Block;
  /** Out [B, 3H], needed for backward: i f g after activation; null: not requested. */
  gates: Block | null;
}

export interface LstmGatesBackwardCall extends LstmGatesSizes {
  before: Block;
  gates: Block;
  o: Block;
  /** Gradients of c and o, [B, H]; null: zero. */
  dAfter: Block | null;
  dO: Block | null;
  /** Out. */
  da: Block; // [B, 4H]
  dBefore: Block; // [B, H]
}

interface GruVariant {
  recurrentActivation: ActivationName;
  /** True: the reset gate multiplies h' U (bias [2, 3H]). False: it multiplies h' (bias [3H]). */
  resetAfter: boolean;
  /** True: h = (1-z) h' + z n. False: h = z h' + (1-z) n. */
  updateGateOnCandidate: boolean;
}

export interface GruForwardCall extends RecurrentForwardCall, GruVariant {
  /**
   * Needed for backward. With `resetAfter`: [T, B, 4H], z r n and q, the recurrent product of the candidate n before the reset
   * gate multiplies it (reference/gru.ts has the equations). Otherwise: [T, B, 3H], z r n.
   */
  gates: Block | null;
  /** Needed for backward without `resetAfter`: [T, B, H], r * h' (times rmask). */
  rh: Block | null;
}

export interface GruBackwardCall extends RecurrentBackwardCall, GruVariant {
  I: number;
  xh: Block;
  hs: Block | null;
  gates: Block;
  /** Out: gradient of the gates before activation. With `resetAfter`: [T, B, 4H], dz dr dn dq. Otherwise: [T, B, 3H]. */
  dG: Block;
}

/**
 * Connectionist temporal classification (Graves et al. 2006): the loss of a sequence is -log of the sum of the
 * probabilities of all alignments of its target, with the class probabilities softmax(x).
 */
export interface CtcCall {
  B: number;
  T: number;
  /** Number of classes, including the blank. */
  C: number;
  /** Size of the second axis of the targets. */
  L: number;
  blank: number;
  /** True: the loss of a sequence without an alignment is 0. False: it is infinite. The gradient is 0 in both cases. */
  zeroInfinity: boolean;
  x: Block; // [B, T, C]
  /** [B, L]: class indices. */
  targets: Block;
  /** [B]: number of steps of each sequence. */
  lengths: Block;
  /** [B]: number of labels of each target. */
  targetLengths: Block;
  /** Out [B]. */
  losses: Block;
  /**
   * Out [B, T, C]: the gradient of each loss, 0 after the last step of the sequence, and NaN if the loss is NaN; null: not
   * requested.
   */
  dx: Block | null;
}

/** Arguments of the forward and the backward scan: h_t = a_t h_{t-1} + b_t for every unit. Sequences are [B, T, H]. */
export interface ScanCall {
  B: number;
  T: number;
  H: number;
  a: Block;
  /** The states of all steps, [B, T, H]: the output of forward, an input of backward. */
  h: Block;
  /** The state before the first step, [B, H]; null: zeros. */
  h0: Block | null;
  /** [B, T]: 1 at valid steps; steps with 0 leave the state unchanged. Null: all steps are valid. */
  mask: Block | null;
  /** True: the steps are processed from the last to the first. */
  reverse: boolean;
}

export interface LinearScanCall extends ScanCall {
  b: Block;
}

export interface LinearScanBackwardCall extends ScanCall {
  /** The gradients of h, [B, T, H]; null: zero. */
  dy: Block | null;
  /** [B, H]. In: gradient of the final state. Out: gradient of h0. */
  dh: Block;
  /** Out: the gradients of a and b, [B, T, H]; 0 at masked steps. */
  da: Block;
  db: Block;
}

/** Arguments of all optimizers. In the formulas below, d = g * gScale. Each update first multiplies w by 1 - decay. */
export interface OptimizerCall {
  /** Weights, updated in place. */
  w: Block;
  /** Gradients. */
  g: Block;
  decay: number;
  gScale: number;
}

/** m = momentum m + dScale d; w -= rateM m + rateG d. If `m` is null: w -= rateG d. */
export interface SgdCall extends OptimizerCall {
  m: Block | null;
  momentum: number;
  dScale: number;
  rateM: number;
  rateG: number;
}

/**
 * v = rho v + dScale d²; q = d / (√(v + epsilonInside) + epsilonOutside); m = momentum m + rateQ q; w -= rateM m.
 * If `mean` is given: mean = rho mean + dScale d, and q uses v - mean² instead of v.
 * If `m` is null: w -= rateM rateQ q.
 */
export interface RmspropCall extends OptimizerCall {
  v: Block;
  mean: Block | null;
  m: Block | null;
  rho: number;
  dScale: number;
  epsilonInside: number;
  epsilonOutside: number;
  momentum: number;
  rateQ: number;
  rateM: number;
}

/** Arguments of optimizers with two moving averages: m of the gradients, and v of their squares. */
export interface MomentsCall extends OptimizerCall {
  m: Block;
  v: Block;
  beta1: number;
  beta2: number;
  epsilon: number;
  vScale: number;
}

/** m = beta1 m + (1 - beta1) d; v = beta2 v + (1 - beta2) d²; w -= rate m / (vScale √v + epsilon). */
export interface AdamCall extends MomentsCall {
  rate: number;
}

/** m and v as in Adam; w -= (rateM m + rateG d) / (vScale √v + epsilon). */
export interface NadamCall extends MomentsCall {
  rateM: number;
  rateG: number;
}

/** y[offsetY + i·stridesY] = x[offsetX + i·stridesX] for every index i of `shape`. Strides may be negative. */
export interface CopyCall {
  x: Block;
  /** Default 0. */
  offsetX?: number;
  /** Default: x is dense. */
  stridesX?: readonly number[];
  y: Block;
  /** Default 0. */
  offsetY?: number;
  /** Default: y is dense. */
  stridesY?: readonly number[];
  /** Default: all of y, [length]. */
  shape?: readonly number[];
}

/** y = op(a, b) for every index of `shape`. y is dense; a and b have strides (0: broadcast). */
export interface BinaryCall {
  op: BinaryName;
  a: Block;
  /** Default: a is dense. */
  stridesA?: readonly number[];
  b: Block;
  /** Default: b is dense. */
  stridesB?: readonly number[];
  y: Block;
  /** Default: all of y, [length]. */
  shape?: readonly number[];
}

/** Values of a dropout mask: `scale` with probability `keep`, else 0. */
export interface RandomMask {
  keep: number;
  scale: number;
}

/** The kernels of a backend. {@link Backend.supports} refers to them by name. */
export interface Kernels {
  fill(y: Block, value: number): void;
  copy(call: CopyCall): void;
  unary(op: UnaryName, x: Block, y: Block): void;
  binary(call: BinaryCall): void;
  /** y [outer, inner] = the reduction of x [outer, n, inner] over the middle axis. */
  reduce(op: ReduceName, x: Block, y: Block, inner: number): void;
  /** y += scale * x */
  accumulate(y: Block, x: Block, scale: number): void;
  /** y = a b, with the layout and options of `shape`. */
  gemm(a: Block, b: Block, y: Block, shape: GemmShape): void;
  /** y = softmax of each row of x [rows, n], or its logarithm. */
  softmax(x: Block, y: Block, n: number, log: boolean): void;
  /**
   * The k largest elements of each row of x [rows, n] in descending order, [rows, k], and their columns. NaN comes first; of
   * equal elements, the one with the smaller column comes first. 1 <= k <= n.
   */
  topK(x: Block, values: Block, indices: Block, n: number): void;
  /** y[i] = table[ids[i]]; rows have `width` elements. */
  gather(table: Block, ids: Block, y: Block, width: number): void;
  /** table[ids[i]] += g[i]; rows have `width` elements. */
  scatterAdd(table: Block, ids: Block, g: Block, width: number): void;
  /** Fills y with uniform numbers in [0, 1) from a counter-based stream (random.ts). */
  randomUniform(key: readonly [number, number], counter: number, y: Block): void;
  /** Fills y with an inverted dropout mask: `scale` with probability `keep`, else 0. */
  randomMask(key: readonly [number, number], counter: number, y: Block, mask: RandomMask): void;
  ctc(call: CtcCall): void;
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
  layerNorm(call: LayerNormCall): void;
  layerNormBackward(call: LayerNormBackwardCall): void;
  lstmGates(call: LstmGatesCall): void;
  lstmGatesBackward(call: LstmGatesBackwardCall): void;
  linearScan(call: LinearScanCall): void;
  linearScanBackward(call: LinearScanBackwardCall): void;
  crfForward(call: CrfForwardCall): void;
  crfBackward(call: CrfBackwardCall): void;
}
export type KernelName = keyof Kernels;

export interface Backend {
  /** The backend family: `reference`, `cpu` or a family outside this package. */
  readonly name: string;
  /** Human-readable build and number of threads, such as "native avx512, 2 threads". */
  readonly description: string;
  readonly float: Float32ArrayConstructor | Float64ArrayConstructor;
  readonly kernels: Kernels;
  /** Returns whether the backend implements a kernel. */
  supports(kernel: KernelName): boolean;
  /** Smallest batch for which inference kernels of recurrent cells copy their inputs one time step at a time. */
  readonly minBatchForStepCopies: number;
  /** Allocates zeroed memory, to be freed with `release`. */
  allocate(length: number): Block;
  release(block: Block): void;
  /** Allocates memory in the innermost open arena, without zeroing it. Closing the arena frees it. */
  temporary(length: number): Block;
  openArena(): void;
  closeArena(): void;
  /** Returns a block that shares the memory of a part of `block`. */
  view(block: Block, offset: number, length: number): Block;
  write(block: Block, data: ArrayLike<number>): void;
  /**
   * Declares that `format` represents every value of the block exactly, until the next write to its allocation. Kernels
   * may then store packed copies of the block in this format. Absent if all kernels of the backend read float32 only.
   */
  setWeightFormat?(block: Block, format: WeightFormatName): void;
  /**
   * Copies the values at the time of the call to a new array. The block may be overwritten or released immediately
   * after the call.
   */
  read(block: Block): Promise<FloatArray>;
  /**
   * Like `read`, but synchronous. Copies to `to` (of the same length) or to a new array. Only backends whose memory the
   * CPU can read implement this method. Only code that tools/check-sync-reads.mjs lists may depend on it.
   */
  readSync?(block: Block, to?: FloatArray): FloatArray;
}
