// Optimizers: one pass over the weights, their gradients and the optimizer's state.
#include "kernels_impl.h"
#include "vec.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

// body(i, few) for the vectors of [0, n): few lanes at i. `cost`: floating-point operations an element.
template <class Body>
void over_vectors(int n, double cost, const Body& body) {
  over_ranges(n, cost * n, [&](int first, int last) {
    for (int i = first; i < last; i += VL) body(i, smaller(last - i, VL));
  });
}

// x = keep*x + fresh*d at p; returns the new x.
FORCE_INLINE v moving(float* p, float keep, float fresh, v d, int few) {
  const v x = madd(splat(fresh), d, load(p, few) * keep);
  store(p, x, few);
  return x;
}

// w = w*(1 - decay) - change
FORCE_INLINE void descend(float* w, float decay, v change, int few) {
  store(w, load(w, few) * (1 - decay) - change, few);
}

}  // namespace

// ----------------------------------------------------------------------------------------------------------------- SGD
void sgd(float* w, const float* g, float* m, int n, float keep, float fresh, float rateM, float rateG, float decay,
         float gScale) {
  over_vectors(n, 8, [&](int i, int few) {
    const v d = load(g + i, few) * gScale;
    v change = d * rateG;
    if (m) change = madd(moving(m + i, keep, fresh, d, few), splat(rateM), change);
    descend(w + i, decay, change, few);
  });
}

// ------------------------------------------------------------------------------------------------- RMSprop and Adagrad
void rmsprop(float* w, const float* g, float* square, float* mean, float* m, int n, float keep, float fresh,
             float inside, float outside, float momentum, float rateQ, float rateM, float decay, float gScale) {
  over_vectors(n, 25, [&](int i, int few) {
    const v d = load(g + i, few) * gScale;
    v spread = madd(d * fresh, d, load(square + i, few) * keep);
    store(square + i, spread, few);
    if (mean) {
      const v a = moving(mean + i, keep, fresh, d, few);
      spread = above(splat(0), spread - a * a);  // rounding must not make it negative; a NaN stays
    }
    v step = d * rateQ / (root(spread + inside) + outside);
    if (m) step = moving(m + i, momentum, 1, step, few);
    descend(w + i, decay, step * rateM, few);
  });
}

// ------------------------------------------------------------------------------------------------------ Adam and Nadam
namespace {

template <bool ahead>
void adaptive(float* w, const float* g, float* m, float* s, int n, float rateM, float rateG, float beta1, float beta2,
              float epsilon, float vScale, float decay, float gScale) {
  const float fresh1 = 1 - beta1, fresh2 = 1 - beta2;
  over_vectors(n, 20, [&](int i, int few) {
    const v d = load(g + i, few) * gScale;
    const v square = madd(d * fresh2, d, load(s + i, few) * beta2);
    store(s + i, square, few);
    v change = moving(m + i, beta1, fresh1, d, few) * rateM;
    if (ahead) change = madd(d, splat(rateG), change);
    descend(w + i, decay, change / madd(root(square), splat(vScale), splat(epsilon)), few);
  });
}

}  // namespace

void adam(float* w, const float* g, float* m, float* s, int n, float rate, float beta1, float beta2, float epsilon,
          float vScale, float decay, float gScale) {
  adaptive<false>(w, g, m, s, n, rate, 0, beta1, beta2, epsilon, vScale, decay, gScale);
}

void nadam(float* w, const float* g, float* m, float* s, int n, float rateM, float rateG, float beta1, float beta2,
           float epsilon, float vScale, float decay, float gScale) {
  adaptive<true>(w, g, m, s, n, rateM, rateG, beta1, beta2, epsilon, vScale, decay, gScale);
}

}  // namespace unroll::UNROLL_ISA
