// GRU with the reset gate before the product (Keras: reset_after=False): one call runs a whole sequence, forward or
// backward.
//
//   z, r = ract(x W + h' U + b)    n = act(x Wn + bn + (r*h') Un)    h = z*h' + (1-z)*n
//   updateGateOnCandidate: h = (1-z)*h' + z*n
//
// n depends on r of all units, so a step has two phases: first z and r, then n. The backward pass runs them in reverse
// order.
#include "cells.h"
#include "functions.h"

namespace unroll::UNROLL_ISA {

// The packed weights are the biases of z, r and n, then panels with the rows of W and U for z, r and n.
int64_t gru_before_size(int I, int H, int format) {
  const int biases = 3 * whole_vectors(H);
  return with_weights(format, [&](auto weight) { return biases + panels_size<decltype(weight)>(3 * ((int64_t)I + H), H); });
}

void gru_before_pack(const Pack& p, float* packed) {
  const int I = p.I, H = p.H;
  const float *W = p.W, *U = p.U;
  for (int gate = 0; gate < 3; gate++, packed += whole_vectors(H))
    pack_bias(H, p.b ? p.b + gate * H : nullptr, nullptr, packed);
  with_weights(p.format, [&](auto weight) {
    pack_panels(H, 3 * H, {{W, I}, {U, H}, {W + H, I}, {U + H, H}, {W + 2 * H, I}, {U + 2 * H, H}},
                (decltype(weight)*)packed);
  });
}

namespace {

const float* bias_of(const Forward& f, int gate) { return f.packed + header + gate * whole_vectors(f.H); }
// Returns the product of k columns of a and the packed rows [from, from + k).
template <class Weight>
PanelProduct<Weight> product_of(const Forward& f, const float* a, long aRow, int k, int from) {
  return {a, aRow, k, (const Weight*)bias_of(f, 3), from, 3 * (f.I + f.H)};
}

// Computes z, r and r*h' for the rows and units of a part. z is stored where h_t will be written. start: the initial
// values of the sums, which are the biases or the precomputed sums of the inputs; skip: the number of leading columns of
// x that `start` already includes.
template <class Weight>
void compute_gates(const GruBeforeForward& f, const Step& step, long t, const Start& start, int skip, float* gates, float* rh,
            const Part& part) {
  const int H = f.H, K = f.I + H;
  const auto sum = [&](int gate) {
    return Sum<Weight>{{start.values + gate * whole_vectors(H), start.stride}, product_of<Weight>(f, step.x + skip, K, K - skip, gate * K + skip)};
  };
  over_panels(H, part, t, {sum(0), sum(1)},
              [&](const float* sums, long row, long b, int m, int column, int columns) {
                for (int i = 0; i < m; i++, b++, sums += row)
                  for (int j = 0; j < columns; j += VL) {
                    const int u = column + j, n = min(columns - j, VL);
                    const v update = any_activation(f.ract, load(sums + j));
                    const v reset = any_activation(f.ract, load(sums + tile_size + j));
                    store(step.xh + b * K + u, update, n);
                    store(rh + b * H + u, reset * step.h_with_dropout(b, u, n), n);
                    if (gates) store(gates + b * 3 * H + u, update, n), store(gates + b * 3 * H + H + u, reset, n);
                  }
              });
}

// Computes n and h_t for the rows and units of a part.
template <class Weight>
void compute_states(const GruBeforeForward& f, const Step& step, long t, const Start& start, int skip, float* gates,
                const float* rh, const Part& part) {
  const int I = f.I, H = f.H, K = I + H;
  const auto finish = [&](const float* sums, long row, int b, int m, int column, int columns) {
    for (int r = 0; r < m; r++, b++, sums += row)
      for (int j = 0; j < columns; j += VL) {
        const int u = column + j, n = min(columns - j, VL);
        const v z = load(step.xh + (long)b * K + u, n), candidate = any_activation(f.act, load(sums + j));
        const v before = step.h_before(b, u, n), keep = f.updateGateOnCandidate ? 1.f - z : z;
        if (gates) store(gates + (long)b * 3 * H + 2 * H + u, candidate, n);
        step.put_h(b, u, n, step.valid(b) ? madd(keep, before - candidate, candidate) : before);
      }
  };
  over_panels(H, part, t,
              {Sum<Weight>{{start.values + 2 * whole_vectors(H), start.stride},
                     product_of<Weight>(f, step.x, K, I - skip, 2 * K),
                     product_of<Weight>(f, rh, H, H, 2 * K + I)}},
              finish);
}

// Runs all steps for one part (the rows and units of one thread).
template <class Weight>
void forward(const GruBeforeForward& f, const Part& part) {
  const int I = f.I, H = f.H, K = I + H, padded = whole_vectors(H);
  const long BH = (long)f.B * H;
  const PrecomputedInputs inputs(f, 3 * padded);
  for (long t = 0; t < f.T; t++) {
    copy_inputs(f, t, part);
    const Step step(f, t);
    const float* input_sums = inputs.sums_of_step(t, [&](int n, const float* x, float* out) {
      for (int gate = 0; gate < 3; gate++)
        panel_sums(H, n, part, bias_of(f, gate), product_of<Weight>(f, x, K, I, gate * K), out + gate * padded, inputs.row);
    });
    // input_sums, if not null, holds the precomputed products of the inputs. If it is null, the sums below include x W.
    const Start start = input_sums ? Start{input_sums, inputs.row} : Start{bias_of(f, 0)};
    const int skip = input_sums ? I : 0;
    float *gates = f.gates ? f.gates + t * 3 * BH : nullptr, *rh = f.rh + t * f.rhStep;
    compute_gates<Weight>(f, step, t, start, skip, gates, rh, part);
    team_barrier();
    compute_states<Weight>(f, step, t, start, skip, gates, rh, part);
    team_barrier();
  }
}

}  // namespace

void gru_before_forward(const GruBeforeForward& f) {
  clear_masked(f);
  with_weights(format_of(f.packed), [&](auto weight) {
    over_parts(f, 6.0 * f.T * f.B * f.H * (f.I + f.H),
               [&](const Part& part) { forward<decltype(weight)>(f, part); });
  });
}

namespace {

// Computes dz and dn of row b at step t, and sets dr to 0 (backward computes it later). Leaves in dh the part of the
// gradient that bypasses the gates.
FORCE_INLINE void cell_gradient(const GruBackward& f, const Step& step, long t, long b, int unit, int end) {
  const long H = f.H, at = t * f.B + b;
  const float* gates = f.gates + at * 3 * H;
  float *dh = f.dh + b * H, *dG = f.dG + at * 3 * H;
  for (int u = unit; u < end; u += VL) {
    const int n = min(end - u, VL);
    v dhu = gradient_of_h(f, t, b, u, n), dz = splat(0), dn = dz;
    if (step.valid(b)) {
      const v z = load(gates + u, n), candidate = load(gates + 2 * H + u, n);
      const v keep = f.updateGateOnCandidate ? 1.f - z : z, gain = dhu * (step.h_before(b, u, n) - candidate);
      dn = dhu * (1.f - keep) * derivative(f.act, candidate);
      dz = (f.updateGateOnCandidate ? -gain : gain) * derivative(f.ract, z);
      dhu *= keep;
    }
    store(dh + u, dhu, n);
    store(dG + u, dz, n), store(dG + H + u, splat(0), n), store(dG + 2 * H + u, dn, n);
  }
}

void backward(const GruBackward& f, const Part& part) {
  const int H = f.H;
  for (long t = f.T - 1; t >= 0; t--) {
    const Step step(f, t);
    for (int b = part.first; b < part.last; b++) cell_gradient(f, step, t, b, part.unit, part.end);
    team_barrier();
    const long at = t * f.B * 3 * H;
    float* dG = f.dG + at;
    // Computes dr and a part of the gradient of h' from the gradient of r*h', which is dn Un^T.
    const auto finish = [&](const float* sums, long row, long b, int m, int column, int columns) {
      for (int i = 0; i < m; i++, b++, sums += row) {
        if (!step.valid(b)) continue;
        for (int j = 0; j < columns; j += VL) {
          const int u = column + j, n = min(columns - j, VL);
          float* dh = f.dh + b * H + u;
          const v product = load(sums + j), r = load(f.gates + at + b * 3 * H + H + u, n);
          store(dG + b * 3 * H + H + u, product * step.h_with_dropout(b, u, n) * derivative(f.ract, r), n);
          v dh_part = product * r;
          if (f.rmask) dh_part *= load(f.rmask + b * H + u, n);
          store(dh, load(dh, n) + dh_part, n);
        }
      }
    };
    over_panels(H, part, t, {Sum<>{{}, {dG + 2 * H, 3 * H, H, f.packed + panels_size(2 * H, H)}}}, finish);
    team_barrier();
    compute_state_gradient(f, t, {dG, 3 * H, 2 * H, f.packed}, {}, true, f.dh, part);
  }
}

}  // namespace

void gru_before_backward(const GruBackward& f) {
  over_parts(f, 6.0 * f.T * f.B * f.H * f.H, [&](const Part& part) { backward(f, part); });
}

}  // namespace unroll::UNROLL_ISA
