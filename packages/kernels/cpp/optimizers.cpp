// The optimizers. Each makes one pass over the weights, the gradients and the state.
#include "kernels_impl.h"
#include "vec.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

// Calls body(i, count) for the vectors of [0, n): `count` elements from i on. `cost`: floating-point operations per element.
template <class Body>
void over_vectors(int n, double cost, const Body& body) {
  over_ranges(n, cost * n, [&](int first, int last) {
    for (int i = first; i < last; i += VL) body(i, min(last - i, VL));
  });
}

// Updates the moving average at p: x = beta*x + dScale*d. Returns the new x.
FORCE_INLINE v update_average(float* p, float beta, float dScale, v d, int count) {
  const v x = madd(splat(dScale), d, load(p, count) * beta);
  store(p, x, count);
  return x;
}

// w = w*(1 - decay) - change
FORCE_INLINE void descend(float* w, float decay, v change, int count) {
  store(w, load(w, count) * (1 - decay) - change, count);
}

}  // namespace

void sgd(const Sgd& c) {
  over_vectors(c.n, 8, [&](int i, int count) {
    const v d = load(c.g + i, count) * c.gScale;
    v change = d * c.rateG;
    if (c.m) change = madd(update_average(c.m + i, c.momentum, c.dScale, d, count), splat(c.rateM), change);
    descend(c.w + i, c.decay, change, count);
  });
}

void rmsprop(const Rmsprop& c) {
  over_vectors(c.n, 25, [&](int i, int count) {
    const v d = load(c.g + i, count) * c.gScale;
    v variance = madd(d * c.dScale, d, load(c.v + i, count) * c.rho);
    store(c.v + i, variance, count);
    if (c.mean) {
      const v a = update_average(c.mean + i, c.rho, c.dScale, d, count);
      variance = max(splat(0), variance - a * a);  // rounding must not make it negative; NaN stays NaN
    }
    v step = d * c.rateQ / (sqrt(variance + c.epsilonInside) + c.epsilonOutside);
    if (c.m) step = update_average(c.m + i, c.momentum, 1, step, count);
    descend(c.w + i, c.decay, step * c.rateM, count);
  });
}

namespace {

// Adam (rateG is unused) or, with Nesterov momentum, Nadam.
template <bool nesterov>
void adaptive(const Moments& c, float rateM, float rateG) {
  const float oneMinusBeta1 = 1 - c.beta1, oneMinusBeta2 = 1 - c.beta2;
  over_vectors(c.n, 20, [&](int i, int count) {
    const v d = load(c.g + i, count) * c.gScale;
    const v square = madd(d * oneMinusBeta2, d, load(c.v + i, count) * c.beta2);
    store(c.v + i, square, count);
    v change = update_average(c.m + i, c.beta1, oneMinusBeta1, d, count) * rateM;
    if (nesterov) change = madd(d, splat(rateG), change);
    descend(c.w + i, c.decay, change / madd(sqrt(square), splat(c.vScale), splat(c.epsilon)), count);
  });
}

}  // namespace

void adam(const Adam& c) { adaptive<false>(c, c.rate, 0); }
void nadam(const Nadam& c) { adaptive<true>(c, c.rateM, c.rateG); }

}  // namespace unroll::UNROLL_ISA
