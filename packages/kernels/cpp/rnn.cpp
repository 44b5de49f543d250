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

void rnn_pack(const Pack& p) {
  pack_bias(p.H, p.b, nullptr, p.packed);
  pack_panels(p.H, p.H, {{p.W, p.I}, {p.U, p.H}}, p.packed + whole_vectors(p.H));
}

void rnn_forward(const Forward& s) {
  const int I = s.I, H = s.H, act = s.act;
  const float* packed = s.packed;
  const int K = I + H;
  const float* panels = packed + whole_vectors(H);
  clear_masked(s);
  over_parts(s, 2.0 * s.T * s.B * H * K, [&](const Part& part) {
    const Ahead inputs(s, whole_vectors(H));
    for (long t = 0; t < s.T; t++) {
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

void rnn_backward(const RnnBackward& s) {
  const int B = s.B, I = s.I, H = s.H;
  over_parts(s, 2.0 * s.T * B * H * H, [&](const Part& part) {
    for (long t = s.T - 1; t >= 0; t--) {
      for (long b = part.first; b < part.last; b++) {
        const long at = t * B + b;
        const bool valid = !s.mask || s.mask[at] != 0;
        const float* after = s.hs ? s.hs + (at + B) * H : s.xh + (at + B) * (I + H) + I;
        for (int u = part.unit; u < part.end; u += VL) {
          const int n = smaller(part.end - u, VL);
          const v dhu = gradient_of_h(s, t, b, u, n);
          store(s.dG + at * H + u, valid ? dhu * slope(s.act, load(after + u, n)) : splat(0), n);
          if (!valid) store(s.dh + b * H + u, dhu, n);
        }
      }
      team_barrier();
      back_through(s, t, {s.dG + t * B * H, H, H, s.packed}, {}, false, s.dh, part);
    }
  });
}

}  // namespace unroll::UNROLL_ISA
