// The simple recurrent cell over a whole sequence in one call, forward and backward.
//
//   h = act(x W + h' U + b)
//
// The weights are packed in panels of units; x and h' lie behind one another, so that one product gives the sum.
#include "cells.h"
#include "functions.h"

namespace unroll::UNROLL_ISA {

// The bias, then the panels.
int rnn_packed_size(int I, int H) { return whole_vectors(H) + panels_size(I + H, H); }

void rnn_pack(int I, int H, const float* W, const float* U, const float* b, float* packed) {
  pack_bias(H, b, nullptr, packed);
  pack_panels(H, H, {{W, I}, {U, H}}, packed + whole_vectors(H));
}

void rnn_forward(int T, int B, int I, int H, int act, const float* packed, const float* x, int back, float* xh,
                 float* hs, const float* rmask, const float* mask, const float* output_mask, float* y, int yT, int yB) {
  const Sequence s = {T, B, I, H, xh, hs, rmask, mask, output_mask, y, yT, yB, x, back};
  const int K = I + H;
  const float* panels = packed + whole_vectors(H);
  clear_masked(s);
  over_parts(s, 2.0 * T * B * H * K, [&](const Part& part) {
    const Ahead inputs(s, whole_vectors(H));
    for (long t = 0; t < T; t++) {
      take_inputs(s, t, part);
      const Step step(s, t);
      const float* ahead = inputs.at(t, [&](int n, const float* x, float* out) {
        panel_sums(H, n, part, packed, Factor<>{x, K, I, panels, 0, K}, out, inputs.row);
      });
      const auto finish = [&](const float* z, long zRow, int b, int m, int column, int columns) {
        for (int r = 0; r < m; r++, b++, z += zRow)
          for (int j = 0; j < columns; j += VL) {
            const int n = smaller(columns - j, VL);
            const v sum = load(z + j), after = act == a_tanh ? tanh(sum) : any_activation(act, sum);
            const v h = step.valid(b) ? after : step.h_before(b, column + j, n);
            step.put_h(b, column + j, n, h);
          }
      };
      const Start start = ahead ? Start{ahead, inputs.row} : Start{packed};
      const Factor<> factor = ahead ? Factor<>{step.x + I, K, H, panels, I, K} : Factor<>{step.x, K, K, panels};
      over_panels(H, part, t, {Sum<>{start, factor}}, finish);
      team_barrier();
    }
  });
}

int rnn_packed_backward_size(int H) { return panels_size(H, H); }
void rnn_pack_backward(int H, const float* U, float* packed) { pack_transposed(H, H, U, H, packed); }

void rnn_backward(int T, int B, int I, int H, int act, const float* packed, const float* xh, const float* hs,
                  const float* rmask, const float* mask, const float* output_mask, const float* dy, int dyT, int dyB,
                  float* dh, float* dG, float* dhAll) {
  const Sequence s = {T, B, I, H, nullptr, nullptr, rmask, mask, output_mask, nullptr, 0, 0};
  const Gradients g = {dy, dyT, dyB, dh, dhAll};
  over_parts(s, 2.0 * T * B * H * H, [&](const Part& part) {
    for (long t = T - 1; t >= 0; t--) {
      for (long b = part.first; b < part.last; b++) {
        const long at = t * B + b;
        const bool valid = !mask || mask[at] != 0;
        const float* after = hs ? hs + (at + B) * H : xh + (at + B) * (I + H) + I;
        for (int u = part.unit; u < part.end; u += VL) {
          const int n = smaller(part.end - u, VL);
          const v dhu = gradient_of_h(s, g, t, b, u, n);
          store(dG + at * H + u, valid ? dhu * slope(act, load(after + u, n)) : splat(0), n);
          if (!valid) store(dh + b * H + u, dhu, n);
        }
      }
      team_barrier();
      back_through(s, t, {dG + t * B * H, H, H, packed}, {}, false, dh, part);
    }
  });
}

}  // namespace unroll::UNROLL_ISA
