/** The kernels for training. Pages that only run models do not include them. */
import {
  Activation,
  type Backward,
  Cell,
  type CellName,
  type Crf,
  callAdam,
  callCrfBackward,
  callCrfForward,
  callCtc,
  callGruBackward,
  callGruBeforeBackward,
  callLayerNorm,
  callLayerNormBackward,
  callLinearScan,
  callLinearScanBackward,
  callLstmBackward,
  callLstmGates,
  callLstmGatesBackward,
  callNadam,
  callRandomMask,
  callRandomUniform,
  callRmsprop,
  callRnnBackward,
  callScatterAdd,
  callSgd,
  callTopK,
  type KernelModule,
  type Moments,
  type RandomUniform,
  type Scan,
  type Update,
} from '@unroll/kernels';
import type {
  Block,
  CrfCall,
  Kernels,
  MomentsCall,
  OptimizerCall,
  RecurrentBackwardCall,
  ScanCall,
} from '../backend.js';
import { addressOf, markDirty } from './block.js';
import type { Heap } from './heap.js';
import { FLOAT_BYTES } from './memory.js';
import { type Packer, sequenceAddress, steps } from './recurrent.js';

type GradientAndRandom = Pick<Kernels, 'accumulate' | 'scatterAdd' | 'topK' | `random${'Uniform' | 'Mask'}`>;
type Cells = Pick<Kernels, `${'rnn' | 'lstm' | 'gru'}Backward`>;
type SequenceLosses = Pick<Kernels, 'ctc'>;
type Optimizers = Pick<Kernels, 'sgd' | 'rmsprop' | 'adam' | 'nadam'>;
type ConditionalRandomFields = Pick<Kernels, `crf${'Forward' | 'Backward'}`>;
type LayerNorms = Pick<Kernels, `layerNorm${'' | 'Backward'}`>;
type LstmGates = Pick<Kernels, `lstmGates${'' | 'Backward'}`>;
type Scans = Pick<Kernels, `linearScan${'' | 'Backward'}`>;
export type TrainingKernels = GradientAndRandom &
  Cells &
  SequenceLosses &
  ConditionalRandomFields &
  Scans &
  LayerNorms &
  LstmGates &
  Optimizers;

export function trainingKernels(module: KernelModule, heap: Heap, packWeights: Packer): TrainingKernels {
  return {
    ...gradientAndRandomKernels(module),
    ...cellKernels(module, packWeights),
    ...sequenceLossKernels(module, heap),
    ...crfKernels(module, heap),
    ...scanKernels(module),
    ...layerNormKernels(module),
    ...lstmGatesKernels(module),
    ...optimizerKernels(module),
  };
}

function gradientAndRandomKernels(module: KernelModule): GradientAndRandom {
  const random = (key: readonly [number, number], counter: number, y: Block): RandomUniform => ({
    key0: key[0],
    key1: key[1],
    counter0: counter >>> 0,
    counter1: Math.floor(counter / 2 ** 32),
    y: addressOf(y),
    n: y.length,
  });
  return {
    accumulate(y, x, scale) {
      module.kernels.accumulate(addressOf(y), addressOf(x), y.length, scale);
      markDirty(y);
    },
    scatterAdd(table, ids, g, width) {
      callScatterAdd(module, {
        table: addressOf(table),
        ids: addressOf(ids),
        g: addressOf(g),
        count: ids.length,
        width,
      });
      markDirty(table);
    },
    topK(x, values, indices, n) {
      const rows = x.length / n;
      if (rows === 0) return;
      const k = values.length / rows;
      callTopK(module, {
        x: addressOf(x),
        values: addressOf(values),
        indices: addressOf(indices),
        ...{ rows, n, k },
      });
      markDirty(values);
      markDirty(indices);
    },
    randomUniform(key, counter, y) {
      callRandomUniform(module, random(key, counter, y));
      markDirty(y);
    },
    randomMask(key, counter, y, mask) {
      callRandomMask(module, { randomUniform: random(key, counter, y), ...mask });
      markDirty(y);
    },
  };
}

/** The recurrent kernels. The cell gruBefore is the GRU whose reset gate multiplies h' before the matrix product. */
function cellKernels(module: KernelModule, packWeights: Packer): Cells {
  const { kernels: k } = module;
  const packedWeights = (cell: CellName, { H, U }: RecurrentBackwardCall): number =>
    packWeights(
      `${cell} backward`,
      [U],
      () => k.packed_backward_size(Cell[cell], H),
      (to) => k.pack_backward(Cell[cell], H, addressOf(U), to),
    );
  return {
    rnnBackward(c) {
      callRnnBackward(module, {
        backward: backward(c, c.I, packedWeights('rnn', c)),
        xh: addressOf(c.xh),
        hs: addressOf(c.hs),
      });
    },
    lstmBackward(c) {
      callLstmBackward(module, {
        backward: backward(c, 0, packedWeights('lstm', c)),
        ract: Activation[c.recurrentActivation],
        gates: addressOf(c.gates),
        c: addressOf(c.c),
        dc: addressOf(c.dc),
        dcAll: addressOf(c.dcAll),
      });
    },
    gruBackward(c) {
      const run = c.resetAfter ? callGruBackward : callGruBeforeBackward;
      run(module, {
        backward: backward(c, c.I, packedWeights(c.resetAfter ? 'gru' : 'gruBefore', c)),
        ract: Activation[c.recurrentActivation],
        updateGateOnCandidate: c.updateGateOnCandidate ? 1 : 0,
        gates: addressOf(c.gates),
        xh: addressOf(c.xh),
        hs: addressOf(c.hs),
      });
    },
  };
}

function backward(c: RecurrentBackwardCall & { dG: Block }, I: number, packedWeights: number): Backward {
  const { dy } = c;
  return {
    steps: steps(c, I, packedWeights),
    dy: sequenceAddress(dy),
    dyT: dy?.strideT ?? 0,
    dyB: dy?.strideB ?? 0,
    dh: addressOf(c.dh),
    dhAll: addressOf(c.dhAll),
    dG: addressOf(c.dG),
  };
}

function sequenceLossKernels(module: KernelModule, heap: Heap): SequenceLosses {
  return {
    ctc({ B, T, C, L, blank, zeroInfinity, ...c }) {
      // The number of sequences that are processed at once; each needs its own working memory.
      const slots = Math.max(1, Math.min(B, module.threads));
      heap.openArena();
      try {
        callCtc(module, {
          ...{ B, T, C, L, blank, zero_infinity: zeroInfinity ? 1 : 0 },
          x: addressOf(c.x),
          targets: addressOf(c.targets),
          lengths: addressOf(c.lengths),
          target_lengths: addressOf(c.targetLengths),
          losses: addressOf(c.losses),
          dx: addressOf(c.dx),
          slots,
          work: heap.temporary(slots * module.kernels.ctc_work_size(T, C, L) * FLOAT_BYTES),
        });
      } finally {
        heap.closeArena();
      }
    },
  };
}

/** The scans. Inference-only builds do not contain them: there, the cells run step by step. */
function scanKernels(module: KernelModule): Scans {
  return {
    linearScan(c) {
      callLinearScan(module, { scan: scan(c), b: addressOf(c.b), h: addressOf(c.h) });
      markDirty(c.h);
    },
    linearScanBackward(c) {
      callLinearScanBackward(module, {
        scan: scan(c),
        h: addressOf(c.h),
        dy: addressOf(c.dy),
        dh: addressOf(c.dh),
        da: addressOf(c.da),
        db: addressOf(c.db),
      });
      markDirty(c.dh);
      markDirty(c.da);
      markDirty(c.db);
    },
  };
}

function scan({ B, T, H, a, h0, mask, reverse }: ScanCall): Scan {
  return { B, T, H, a: addressOf(a), h0: addressOf(h0), mask: addressOf(mask), back: reverse ? 1 : 0 };
}

/** Layer normalisation. Inference-only builds do not contain it: there, the layers use several kernels. */
function layerNormKernels(module: KernelModule): LayerNorms {
  return {
    layerNorm({ rows, n, epsilon, ...c }) {
      callLayerNorm(module, {
        x: addressOf(c.x),
        gamma: addressOf(c.gamma),
        beta: addressOf(c.beta),
        y: addressOf(c.y),
        statistics: addressOf(c.statistics),
        ...{ rows, n, epsilon },
      });
      markDirty(c.y);
    },
    layerNormBackward({ rows, n, ...c }) {
      callLayerNormBackward(module, {
        x: addressOf(c.x),
        gamma: addressOf(c.gamma),
        statistics: addressOf(c.statistics),
        dy: addressOf(c.dy),
        dx: addressOf(c.dx),
        dgamma: addressOf(c.dgamma),
        dbeta: addressOf(c.dbeta),
        ...{ rows, n },
      });
      for (const block of [c.dx, c.dgamma, c.dbeta]) if (block) markDirty(block);
    },
  };
}

/** The gates of an LSTM step. Inference-only builds do not contain them: there, the cells use several kernels. */
function lstmGatesKernels(module: KernelModule): LstmGates {
  return {
    lstmGates({ B, H, ...c }) {
      callLstmGates(module, {
        ...{ B, H, act: Activation[c.activation], ract: Activation[c.recurrentActivation] },
        a: addressOf(c.a),
        before: addressOf(c.before),
        after: addressOf(c.after),
        o: addressOf(c.o),
        gates: addressOf(c.gates),
      });
      markDirty(c.after);
      markDirty(c.o);
    },
    lstmGatesBackward({ B, H, ...c }) {
      callLstmGatesBackward(module, {
        ...{ B, H, act: Activation[c.activation], ract: Activation[c.recurrentActivation] },
        before: addressOf(c.before),
        gates: addressOf(c.gates),
        o: addressOf(c.o),
        dAfter: addressOf(c.dAfter),
        dO: addressOf(c.dO),
        da: addressOf(c.da),
        dBefore: addressOf(c.dBefore),
      });
      markDirty(c.da);
      markDirty(c.dBefore);
    },
  };
}

function optimizerKernels(module: KernelModule): Optimizers {
  return {
    sgd(c) {
      const { momentum, dScale, rateM, rateG } = c;
      callSgd(module, { update: update(c), m: addressOf(c.m), momentum, dScale, rateM, rateG });
      markDirty(c.w);
    },
    rmsprop(c) {
      const { rho, dScale, epsilonInside, epsilonOutside, momentum, rateQ, rateM } = c;
      callRmsprop(module, {
        update: update(c),
        v: addressOf(c.v),
        mean: addressOf(c.mean),
        m: addressOf(c.m),
        rho,
        dScale,
        epsilonInside,
        epsilonOutside,
        momentum,
        rateQ,
        rateM,
      });
      markDirty(c.w);
    },
    adam(c) {
      callAdam(module, { moments: moments(c), rate: c.rate });
      markDirty(c.w);
    },
    nadam(c) {
      callNadam(module, { moments: moments(c), rateM: c.rateM, rateG: c.rateG });
      markDirty(c.w);
    },
  };
}

function crfKernels(module: KernelModule, heap: Heap): ConditionalRandomFields {
  const crf = ({ B, T, K, ...c }: CrfCall): Crf => ({
    ...{ B, T, K },
    emissions: addressOf(c.emissions),
    transitions: addressOf(c.transitions),
    start: addressOf(c.start),
    end: addressOf(c.end),
    tags: addressOf(c.tags),
    mask: addressOf(c.mask),
    work: heap.temporary(module.kernels.crf_work_size(B, T, K) * FLOAT_BYTES),
  });
  return {
    crfForward: (c) => callCrfForward(module, { crf: crf(c), losses: addressOf(c.losses) }),
    crfBackward: (c) =>
      callCrfBackward(module, {
        crf: crf(c),
        g: addressOf(c.g),
        dEmissions: addressOf(c.dEmissions),
        dTransitions: addressOf(c.dTransitions),
        dStart: addressOf(c.dStart),
        dEnd: addressOf(c.dEnd),
      }),
  };
}

function update({ w, g, decay, gScale }: OptimizerCall): Update {
  return { w: addressOf(w), g: addressOf(g), n: w.length, decay, gScale };
}

function moments(c: MomentsCall): Moments {
  const { beta1, beta2, epsilon, vScale } = c;
  return { update: update(c), m: addressOf(c.m), v: addressOf(c.v), beta1, beta2, epsilon, vScale };
}
