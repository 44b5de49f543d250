/**
 * The fused recurrent kernels as the backend offers them. They want their weights packed into panels. Weights that stay
 * in memory (parameters) are packed once per version and the packed form is kept beside them; anything else is packed
 * into the open arena for the one call.
 */
import { Activation, type KernelExports } from '@unroll/kernels';
import type { Block, Kernels, SequenceView } from '../backend.js';
import { address, type CpuBlock } from './block.js';
import type { Heap } from './heap.js';

type RecurrentKernels = Pick<Kernels, 'lstmForward' | 'lstmBackward'>;

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
    lstmForward(c) {
      const weights = packed('lstm', [c.W, c.U, c.b], k.lstm_packed_size(c.I, c.H), (to) =>
        k.lstm_pack(c.I, c.H, address(c.W), address(c.U), address(c.b), to),
      );
      k.lstm_forward(
        ...([
          c.T,
          c.B,
          c.I,
          c.H,
          Activation[c.activation],
          Activation[c.recurrentActivation],
          weights,
        ] as const),
        ...([address(c.xh), address(c.c), c.keepCells ? c.B * c.H : 0, address(c.hs)] as const),
        ...([address(c.rmask), address(c.mask), address(c.emit), address(c.gates)] as const),
        ...sequence(c.y),
      );
    },
    lstmBackward(c) {
      const weights = packed('lstm backward', [c.U], k.lstm_packed_backward_size(c.H), (to) =>
        k.lstm_pack_backward(c.H, address(c.U), to),
      );
      k.lstm_backward(
        ...([c.T, c.B, c.H, Activation[c.activation], Activation[c.recurrentActivation], weights] as const),
        ...([address(c.gates), address(c.c), address(c.rmask), address(c.mask), address(c.emit)] as const),
        ...sequence(c.dy),
        ...([address(c.dh), address(c.dc), address(c.dG), address(c.dhAll), address(c.dcAll)] as const),
      );
    },
  };
}

/** Pointer and strides of a sequence; a null pointer where there is none. */
function sequence(view: SequenceView | null): readonly [number, number, number] {
  return view ? [address(view.block) + view.offset * FLOAT, view.strideT, view.strideB] : [0, 0, 0];
}
