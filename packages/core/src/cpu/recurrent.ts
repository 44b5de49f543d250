/**
 * The fused recurrent kernels as the backend offers them. They want their weights packed into panels. Weights that stay
 * in memory (parameters) are packed once per version and the packed form is kept beside them; anything else is packed
 * into the open arena for the one call.
 */
import { Activation, type KernelExports } from '@unroll/kernels';
import type { ActivationName, Block, Kernels, RecurrentCall, SequenceView } from '../backend.js';
import { address, type CpuBlock } from './block.js';
import type { Heap } from './heap.js';

type RecurrentKernels = Pick<Kernels, `${'rnn' | 'lstm' | 'gru'}${'Forward' | 'Backward'}`>;

const FLOAT = 4;

export function recurrentKernels(k: KernelExports, heap: Heap): RecurrentKernels {
  /** The address of weights in packed form; `form` names the packing, `sources` are what it is made from. */
  const packed = (
    form: string,
    sources: readonly (Block | null)[],
    floats: number,
    pack: (to: number) => void,
  ): number => {
    const blocks = sources.filter((source) => source !== null) as CpuBlock[];
    const { root } = blocks[0]!;
    // One allocation holds them all when they are parameters of one model; only then does one version speak for all.
    if (root.packed === null || blocks.some((block) => block.root !== root)) {
      const to = heap.temporary(floats * FLOAT);
      pack(to);
      return to;
    }
    const key = `${form}:${sources.map((source) => address(source)).join(':')}`;
    let kept = root.packed.get(key);
    if (kept === undefined) {
      kept = { version: -1, at: heap.allocate(floats * FLOAT) };
      root.packed.set(key, kept);
    }
    if (kept.version !== root.version) {
      pack(kept.at);
      kept.version = root.version;
    }
    return kept.at;
  };

  return {
    rnnForward(c) {
      const weights = packed('rnn', [c.W, c.U, c.b], k.rnn_packed_size(c.I, c.H), (to) =>
        k.rnn_pack(c.I, c.H, address(c.W), address(c.U), address(c.b), to),
      );
      const at = [weights, address(c.xh), address(c.hs)] as const;
      k.rnn_forward(c.T, c.B, c.I, c.H, Activation[c.activation], ...at, ...masks(c), ...sequence(c.y));
    },
    rnnBackward(c) {
      const weights = packed('rnn backward', [c.U], k.rnn_packed_backward_size(c.H), (to) =>
        k.rnn_pack_backward(c.H, address(c.U), to),
      );
      const at = [weights, address(c.xh), address(c.hs)] as const;
      const out = [address(c.dh), address(c.dG), address(c.dhAll)] as const;
      k.rnn_backward(
        c.T,
        c.B,
        c.I,
        c.H,
        Activation[c.activation],
        ...at,
        ...masks(c),
        ...sequence(c.dy),
        ...out,
      );
    },

    lstmForward(c) {
      const weights = packed('lstm', [c.W, c.U, c.b], k.lstm_packed_size(c.I, c.H), (to) =>
        k.lstm_pack(c.I, c.H, address(c.W), address(c.U), address(c.b), to),
      );
      const cells = [address(c.c), c.keepCells ? c.B * c.H : 0] as const;
      k.lstm_forward(
        ...([c.T, c.B, c.I, c.H, ...activations(c), weights, address(c.xh), ...cells] as const),
        ...([address(c.hs), ...masks(c), address(c.gates), ...sequence(c.y)] as const),
      );
    },
    lstmBackward(c) {
      const weights = packed('lstm backward', [c.U], k.lstm_packed_backward_size(c.H), (to) =>
        k.lstm_pack_backward(c.H, address(c.U), to),
      );
      k.lstm_backward(
        ...([c.T, c.B, c.H, ...activations(c), weights, address(c.gates), address(c.c)] as const),
        ...([...masks(c), ...sequence(c.dy), address(c.dh), address(c.dc), address(c.dG)] as const),
        ...([address(c.dhAll), address(c.dcAll)] as const),
      );
    },

    gruForward(c) {
      const { T, B, I, H } = c;
      const form = [T, B, I, H, ...activations(c), c.textbook ? 1 : 0] as const;
      const from = [address(c.W), address(c.U), address(c.b)] as const;
      const sources = [c.W, c.U, c.b];
      if (c.resetAfter) {
        const weights = packed('gru', sources, k.gru_packed_size(I, H), (to) =>
          k.gru_pack(I, H, ...from, to),
        );
        const at = [weights, address(c.xh), address(c.hs)] as const;
        k.gru_forward(...form, ...at, ...masks(c), address(c.gates), ...sequence(c.y));
        return;
      }
      const weights = packed('gru before', sources, k.gru_before_packed_size(I, H), (to) =>
        k.gru_before_pack(I, H, ...from, to),
      );
      const at = [weights, address(c.xh), address(c.hs)] as const;
      // Without a block to keep r h' of every step in, one step's serves them all.
      const rh = c.rh ? ([address(c.rh), B * H] as const) : ([heap.temporary(B * H * FLOAT), 0] as const);
      k.gru_before_forward(...form, ...at, ...masks(c), address(c.gates), ...rh, ...sequence(c.y));
    },
    gruBackward(c) {
      const { T, B, I, H } = c;
      const weights = c.resetAfter
        ? packed('gru backward', [c.U], k.gru_packed_backward_size(H), (to) =>
            k.gru_pack_backward(H, address(c.U), to),
          )
        : packed('gru before backward', [c.U], k.gru_before_packed_backward_size(H), (to) =>
            k.gru_before_pack_backward(H, address(c.U), to),
          );
      const run = c.resetAfter ? k.gru_backward : k.gru_before_backward;
      run(
        ...([T, B, I, H, ...activations(c), c.textbook ? 1 : 0, weights, address(c.gates)] as const),
        ...([address(c.xh), address(c.hs), ...masks(c), ...sequence(c.dy)] as const),
        ...([address(c.dh), address(c.dG), address(c.dhAll)] as const),
      );
    },
  };
}

function activations(c: { activation: ActivationName; recurrentActivation: ActivationName }) {
  return [Activation[c.activation], Activation[c.recurrentActivation]] as const;
}

function masks({ rmask, mask, emit }: RecurrentCall) {
  return [address(rmask), address(mask), address(emit)] as const;
}

/** Pointer and strides of a sequence; a null pointer where there is none. */
function sequence(view: SequenceView | null): readonly [number, number, number] {
  return view ? [address(view.block) + view.offset * FLOAT, view.strideT, view.strideB] : [0, 0, 0];
}
