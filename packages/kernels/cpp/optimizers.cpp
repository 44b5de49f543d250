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

void sgd(const Sgd& c) {
  over_vectors(c.n, 8, [&](int i, int few) {
    const v d = load(c.g + i, few) * c.gScale;
    v change = d * c.rateG;
    if (c.m) change = madd(moving(c.m + i, c.keep, c.fresh, d, few), splat(c.rateM), change);
    descend(c.w + i, c.decay, change, few);
  });
}

void rmsprop(const Rmsprop& c) {
  over_vectors(c.n, 25, [&](int i, int few) {
    const v d = load(c.g + i, few) * c.gScale;
    v spread = madd(d * c.fresh, d, load(c.v + i, few) * c.keep);
    store(c.v + i, spread, few);
    if (c.mean) {
      const v a = moving(c.mean + i, c.keep, c.fresh, d, few);
      spread = above(splat(0), spread - a * a);  // rounding must not make it negative; a NaN stays
    }
    v step = d * c.rateQ / (root(spread + c.inside) + c.outside);
    if (c.m) step = moving(c.m + i, c.momentum, 1, step, few);
    descend(c.w + i, c.decay, step * c.rateM, few);
  });
}

namespace {

// Adam's rule, and Nadam's with rateG, which looks one step ahead.
template <bool nesterov>
void adaptive(const Moments& c, float rateM, float rateG) {
  const float fresh1 = 1 - c.beta1, fresh2 = 1 - c.beta2;
  over_vectors(c.n, 20, [&](int i, int few) {
    const v d = load(c.g + i, few) * c.gScale;
    const v square = madd(d * fresh2, d, load(c.v + i, few) * c.beta2);
    store(c.v + i, square, few);
    v change = moving(c.m + i, c.beta1, fresh1, d, few) * rateM;
    if (nesterov) change = madd(d, splat(rateG), change);
    descend(c.w + i, c.decay, change / madd(root(square), splat(c.vScale), splat(c.epsilon)), few);
  });
}

}  // namespace

void adam(const Adam& c) { adaptive<false>(c, c.rate, 0); }
void nadam(const Nadam& c) { adaptive<true>(c, c.rateM, c.rateG); }

}  // namespace unroll::UNROLL_ISA
