// What the recurrent cells share: packing, the split of the batch over threads, and dh = dG U^T.
#pragma once
#include "tile.h"

namespace unroll::UNROLL_ISA {

// Packs W [I][G*H], U [H][G*H] and b [G*H] | null: per vector of units the bias [G][VL], then the gates
// in groups of g = panel_vectors, [I+H][g][VL] each.
void pack_gates(int I, int H, int G, const float* W, const float* U, const float* b, float* packed);

// Packs U [H][G*H] transposed, in panels (tile.h) of H columns: [G*H][width*VL] each.
int transposed_size(int H, int G);
void pack_transposed(int H, int G, const float* U, float* packed);

// For rows [first, last): dh = dG U^T * rmask (null: 1) + carry (null: 0), with dG [B][G*H]; a row whose mask is 0 is
// left alone. packed: from pack_transposed. carry is [B][H] like dh.
void times_transposed(int H, int G, const float* packed, const float* dG, long dGRow, const float* rmask,
                      const float* mask, float* dh, const float* carry, int first, int last);

// With dropout, the h part of row 0 as the products see it: xh[0][b][I..] = hs[0][b] * rmask[b].
void drop_initial(int I, int H, const float* hs, const float* rmask, float* xh, int first, int last);

}  // namespace unroll::UNROLL_ISA
