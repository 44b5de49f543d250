// GRU with the reset gate after the product (Keras: reset_after=True): one call runs a whole sequence, forward or backward.
//
//   z, r = ract(x W + h' U + b)    n = act(x Wn + b0n + r*q)    q = h' Un + b1n    h = z*h' + (1-z)*n
//   updateGateOnCandidate: h = (1-z)*h' + z*n
//
// For z and r, one sum covers the columns of x and of h'. n needs two separate sums, because the reset gate multiplies only
// the sum over h'.
#include "cells.h"
#include "functions.h"

namespace unroll::UNROLL_ISA {

// The packed weights are the biases of z, r, n (b0n) and q (b1n), then panels with the rows of W and U for z, r and n.
int64_t gru_size(int I, int H, int format) {
  const int biases = 4 * whole_vectors(H);
  return with_weights(format, [&](auto weight) { return biases + panels_size<decltype(weight)>(3 * ((int64_t)I + H), H); });
}

void gru_pack(const Pack& p, float* biases) {
  const int I = p.I, H = p.H, padded = whole_vectors(H);
  const float *W = p.W, *U = p.U, *b = p.b;
  for (int gate = 0; gate < 2; gate++)
    pack_bias(H, b ? b + gate * H : b, b ? b + (3 + gate) * H : b, biases + gate * padded);
  pack_bias(H, b ? b + 2 * H : b, nullptr, biases + 2 * padded);
  pack_bias(H, b ? b + 5 * H : b, nullptr, biases + 3 * padded);
  with_weights(p.format, [&](auto weight) {
    pack_panels(H, 3 * H, {{W, I}, {U, H}, {W + H, I}, {U + H, H}, {W + 2 * H, I}, {U + 2 * H, H}},
                (decltype(weight)*)(biases + 4 * padded));
  });
}

namespace {

// Computes the GRU cell for row b and one vector of units, of which the first n are valid. `sums` holds four vectors,
// tile_size floats apart: the pre-activations of z and r (already activated if gates_first and the activations are
// standard), then the sums over x and over h' of the candidate. standard: the activations are tanh and sigmoid.
template <bool standard>
FORCE_INLINE void cell(const GruForward& f, const Step& step, float* gates, const float* sums, long b, long unit, int n) {
  const auto act = [&](v sum) { return standard ? tanh(sum) : any_activation(f.act, sum); };
  const auto ract = [&](v sum) { return standard ? sigmoid(sum) : any_activation(f.ract, sum); };
  v z = load(sums), r = load(sums + tile_size);
  if (!gates_first || !(standard || standard_activations(f.act, f.ract))) z = ract(z), r = ract(r);
  const v q = load(sums + 3 * tile_size), candidate = act(madd(r, q, load(sums + 2 * tile_size)));
  if (gates) {
    const long H = f.H;
    float* p = gates + b * 4 * H + unit;
    store(p, z, n), store(p + H, r, n), store(p + 2 * H, candidate, n), store(p + 3 * H, q, n);
  }
  const v before = step.h_before(b, unit, n), keep = f.updateGateOnCandidate ? 1.f - z : z;
  step.put_h(b, unit, n, step.valid(b) ? madd(keep, before - candidate, candidate) : before);
}

// Like cell, but for arbitrary activations, and for the last vector of units if it is not full.
NOINLINE void any_cell(const GruForward& f, const Step& step, float* gates, const float* sums, long b, long unit, int n) {
  cell<false>(f, step, gates, sums, b, unit, n);
}

// Runs all steps for one part (the rows and units of one thread).
template <class Weight>
void forward(const GruForward& f, const Part& part) {
  const bool standard = standard_activations(f.act, f.ract);
  const int I = f.I, H = f.H, K = I + H, padded = whole_vectors(H);
  const float* biases = f.packed + header;
  const Weight* weights = (const Weight*)(biases + 4 * padded);
  const PrecomputedInputs inputs(f, 3 * padded);
  for (long t = 0; t < f.T; t++) {
    copy_inputs(f, t, part);
    const Step step(f, t);
    const float* input_sums = inputs.sums_of_step(t, [&](int n, const float* x, float* out) {
      for (int gate = 0; gate < 3; gate++)
        panel_sums(H, n, part, biases + gate * padded, PanelProduct<Weight>{x, K, I, weights, gate * K, 3 * K},
                   out + gate * padded, inputs.row);
    });
    float* gates = f.gates ? f.gates + t * f.B * 4 * H : nullptr;
    const auto finish = [&](float* sums, long row, long b, int m, int column, int columns) {
      if (gates_first && standard) sigmoids(sums, m * row, VL, tile_size);
      for (int r = 0; r < m; r++, b++, sums += row)
        for (int j = 0; j < columns; j += VL) {
          const int n = min(columns - j, VL);
          standard && n == VL ? cell<true>(f, step, gates, sums + j, b, column + j, VL)
                              : any_cell(f, step, gates, sums + j, b, column + j, n);
        }
    };
    // input_sums, if not null, holds the precomputed products of the inputs. If it is null, the sums below include x W.
    const float* start = input_sums ? input_sums : biases;
    const long row = input_sums ? inputs.row : 0;
    const int skip = input_sums ? I : 0;
    const auto sum = [&](const float* start, long row, int from, int k) {
      return Sum<Weight>{{start, row}, {step.x + from % K, K, k, weights, from, 3 * K}};
    };
    over_panels(H, part, t,
                {sum(start, row, skip, K - skip), sum(start + padded, row, K + skip, K - skip),
                 sum(start + 2 * padded, row, 2 * K, I - skip), sum(biases + 3 * padded, 0, 2 * K + I, H)},
                finish);
    team_barrier();
  }
}

}  // namespace

void gru_forward(const GruForward& f) {
  clear_masked(f);
  with_weights(format_of(f.packed), [&](auto weight) {
    over_parts(f, 6.0 * f.T * f.B * f.H * (f.I + f.H),
               [&](const Part& part) { forward<decltype(weight)>(f, part); });
  });
}

// Packed for backward: the transpose of the columns of U for z and r, then the transpose of those for n.
int64_t gru_backward_size(int H) { return panels_size(2 * H, H) + panels_size(H, H); }
void gru_pack_backward(int H, const float* U, float* packed) {
  pack_transposed(H, 2 * H, U, 3 * H, packed);
  pack_transposed(H, H, U + 2 * H, 3 * H, packed + panels_size(2 * H, H));
}

namespace {

// Computes the gradients of the gates of row b at step t. Leaves in dh the part of the gradient that bypasses the gates.
template <bool standard>
FORCE_INLINE void cell_gradient(const GruBackward& f, const Step& step, long t, long b, int unit, int end) {
  const long H = f.H, at = t * f.B + b;
  const int act = standard ? (int)a_tanh : f.act, ract = standard ? (int)a_sigmoid : f.ract;
  const float* gates = f.gates + at * 4 * H;
  float *dh = f.dh + b * H, *dG = f.dG + at * 4 * H;
  for (int u = unit; u < end; u += VL) {
    const int n = min(end - u, VL);
    v dhu = gradient_of_h(f, t, b, u, n), dz = splat(0), dr = dz, dn = dz, dq = dz;
    if (step.valid(b)) {
      const v z = load(gates + u, n), r = load(gates + H + u, n), candidate = load(gates + 2 * H + u, n);
      const v keep = f.updateGateOnCandidate ? 1.f - z : z, gain = dhu * (step.h_before(b, u, n) - candidate);
      dn = dhu * (1.f - keep) * derivative(act, candidate);
      dz = (f.updateGateOnCandidate ? -gain : gain) * derivative(ract, z);
      dr = dn * load(gates + 3 * H + u, n) * derivative(ract, r);
      dq = dn * r;
      dhu *= keep;
    }
    store(dh + u, dhu, n);
    store(dG + u, dz, n), store(dG + H + u, dr, n), store(dG + 2 * H + u, dn, n), store(dG + 3 * H + u, dq, n);
  }
}

template <bool standard>
void backward(const GruBackward& f, const Part& part) {
  const int H = f.H;
  for (long t = f.T - 1; t >= 0; t--) {
    const Step step(f, t);
    for (int b = part.first; b < part.last; b++) cell_gradient<standard>(f, step, t, b, part.unit, part.end);
    team_barrier();
    const float* dG = f.dG + t * f.B * 4 * H;
    compute_state_gradient(f, t, {dG, 4 * H, 2 * H, f.packed}, {dG + 3 * H, 4 * H, H, f.packed + panels_size(2 * H, H)},
                           true, f.dh, part);
  }
}

}  // namespace

void gru_backward(const GruBackward& f) {
  const auto body = standard_activations(f.act, f.ract) ? backward<true> : backward<false>;
  over_parts(f, 6.0 * f.T * f.B * f.H * f.H, [&](const Part& part) { body(f, part); });
}

}  // namespace unroll::UNROLL_ISA
