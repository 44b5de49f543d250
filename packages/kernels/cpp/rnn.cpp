// The simple recurrent cell: one call runs a whole sequence, forward or backward.
//
//   h = act(x W + h' U + b)
//
// The weights are packed in panels of units. x and h' are adjacent in memory, so one product computes the whole sum.
#include "cells.h"
#include "functions.h"

namespace unroll::UNROLL_ISA {

// The packed weights are the bias, then panels with the rows of W and U.
int64_t rnn_size(int I, int H, int format) {
  return whole_vectors(H) + with_weights(format, [&](auto weight) { return panels_size<decltype(weight)>((int64_t)I + H, H); });
}

void rnn_pack(const Pack& p, float* packed) {
  pack_bias(p.H, p.b, nullptr, packed);
  with_weights(p.format, [&](auto weight) {
    pack_panels(p.H, p.H, {{p.W, p.I}, {p.U, p.H}}, (decltype(weight)*)(packed + whole_vectors(p.H)));
  });
}

namespace {

// Runs all steps for one part (the rows and units of one thread).
template <class Weight>
void forward(const Forward& s, const Part& part) {
  const int I = s.I, H = s.H, K = I + H, act = s.act;
  const float* bias = s.packed + header;
  const Weight* panels = (const Weight*)(bias + whole_vectors(H));
  const PrecomputedInputs inputs(s, whole_vectors(H));
  for (long t = 0; t < s.T; t++) {
    copy_inputs(s, t, part);
    const Step step(s, t);
    const float* input_sums = inputs.sums_of_step(t, [&](int n, const float* x, float* out) {
      panel_sums(H, n, part, bias, PanelProduct<Weight>{x, K, I, panels, 0, K}, out, inputs.row);
    });
    const auto finish = [&](const float* z, long zRow, int b, int m, int column, int columns) {
      for (int r = 0; r < m; r++, b++, z += zRow)
        for (int j = 0; j < columns; j += VL) {
          const int n = min(columns - j, VL);
          const v sum = load(z + j), after = act == a_tanh ? tanh(sum) : any_activation(act, sum);
          const v h = step.valid(b) ? after : step.h_before(b, column + j, n);
          step.put_h(b, column + j, n, h);
        }
    };
    const Start start = input_sums ? Start{input_sums, inputs.row} : Start{bias};
    const int skip = input_sums ? I : 0;
    over_panels(H, part, t, {Sum<Weight>{start, {step.x + skip, K, K - skip, panels, skip, K}}}, finish);
    team_barrier();
  }
}

}  // namespace

void rnn_forward(const Forward& s) {
  clear_masked(s);
  with_weights(format_of(s.packed), [&](auto weight) {
    over_parts(s, 2.0 * s.T * s.B * s.H * (s.I + s.H), [&](const Part& part) { forward<decltype(weight)>(s, part); });
  });
}

int64_t rnn_backward_size(int H) { return panels_size(H, H); }
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
          const int n = min(part.end - u, VL);
          const v dhu = gradient_of_h(s, t, b, u, n);
          store(s.dG + at * H + u, valid ? dhu * derivative(s.act, load(after + u, n)) : splat(0), n);
          if (!valid) store(s.dh + b * H + u, dhu, n);
        }
      }
      team_barrier();
      compute_state_gradient(s, t, {s.dG + t * B * H, H, H, s.packed}, {}, false, s.dh, part);
    }
  });
}

}  // namespace unroll::UNROLL_ISA
