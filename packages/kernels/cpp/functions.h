// Elementary functions on vectors, and the activations of the cells with their derivatives. The polynomials are minimax
// fits of the relative error (Lawson's algorithm); the comment of a function states its largest measured error. All
// functions return NaN for NaN: clamp keeps NaN, and scaling by a power of two is a product, not an addition to the
// exponent bits.
#pragma once
#include "kernels_impl.h"
#include "vec.h"

namespace unroll::UNROLL_ISA {

// Limits x to [low, high]; NaN stays NaN.
FORCE_INLINE v clamp(v x, float low, float high) { return min(splat(high), max(splat(low), x)); }
FORCE_INLINE v polynomial(v, float c) { return splat(c); }
// c0 + c1*x + c2*x^2 + ...
template <class... Rest>
FORCE_INLINE v polynomial(v x, float c0, Rest... rest) {
  return madd(polynomial(x, rest...), x, splat(c0));
}

// e^x as 2^n * (1 + fraction), where x = n*ln2 + f with |f| <= ln2/2 and fraction = e^f - 1. Valid for |x| < 2^21.
struct Exponential {
  v fraction;
  vi n;
};
FORCE_INLINE Exponential exponential(v x) {
  const v magic = splat(12582912.f);  // 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits
  v z = madd(x, splat(1.44269504f), magic);
  v n = z - magic;
  v f = madd(n, splat(-0.693359375f), x);  // ln2 in two parts; n times the first is exact
  f = madd(n, splat(2.12194440e-4f), f);
  // Two short polynomials (Estrin's scheme) instead of a long one, to shorten the chain of dependent operations.
  const v square = f * f, high = madd(splat(0.0013811663f), square, polynomial(f, 0.041668527f, 0.008370135f));
  const v p = madd(high, square, polynomial(f, 0.49999994f, 0.16666509f));
  return {madd(square, p, f), (vi)z - 0x4B400000};
}
FORCE_INLINE v power_of_two(vi n) { return (v)((n + 127) << 23); }

// exp(x) for |x| <= 87, where the result is a normal number.
FORCE_INLINE v exp_normal(v x) {
  Exponential e = exponential(x);
  return (e.fraction + 1.f) * power_of_two(e.n);
}
// Error 1 ULP; overflows to inf, underflows gradually. The power of two is applied in two factors, because neither 2^128 nor
// 2^-150 is a float.
FORCE_INLINE v exp(v x) {
  Exponential e = exponential(clamp(x, -104.f, 89.f));
  vi half = e.n >> 1;
  return (e.fraction + 1.f) * power_of_two(half) * power_of_two(e.n - half);
}

// Error 1 ULP; log(0) = -inf, and the log of a negative number is NaN.
FORCE_INLINE v log(v x) {
  const v least = splat(1.17549435e-38f);
  vi tiny = x < least;
  v y = select(tiny, x * 8388608.f, x);  // brings denormals into the normal range
  vi bits = (vi)y;
  vi n = ((bits - 0x3f3504f3) >> 23);  // the exponent that leaves a mantissa in [sqrt 1/2, sqrt 2)
  v f = (v)(bits - (n << 23)) - 1.f;
  v e = __builtin_convertvector(n, v) - select(tiny, splat(23.f), splat(0));
  v square = f * f;
  v p = polynomial(f, 0.33333313f, -0.25000009f, 0.20002119f, -0.16667996f, 0.14219552f, -0.12405589f, 0.11888164f,
                   -0.116756506f, 0.067466356f);
  v r = madd(e, splat(-2.12194440e-4f), f * square * p);
  r = madd(square, splat(-0.5f), r) + f;
  r = madd(e, splat(0.693359375f), r);
  const v infinity = splat(__builtin_inff());
  r = select(x < infinity, r, x);  // x is +inf or NaN
  r = select(x == splat(0), -infinity, r);
  return select(x < splat(0), splat(__builtin_nanf("")), r);
}
// log(1 + x), corrected for the rounding error of 1 + x.
FORCE_INLINE v log1p(v x) {
  v u = x + 1.f;
  v r = log(u) + (x - (u - 1.f)) / u;
  r = select((vi)(u == splat(1)), x, r);
  return select((u == splat(0)) | (u == splat(__builtin_inff())), log(u), r);
}

// Error 2.3 ULP.
FORCE_INLINE v sigmoid(v x) { return 1.f / (exp_normal(clamp(-x, -87.f, 88.f)) + 1.f); }

// Replaces vectors in [x, x + size) by their sigmoids: those at the multiples of `stride`, and those `apart` floats after them.
// Computes two vectors at a time, because each sigmoid is a long chain of dependent operations.
NOINLINE void sigmoids(float* x, long size, long stride, long apart) {
  for (const float* end = x + size; x < end; x += stride) {
    const v a = sigmoid(load(x)), b = sigmoid(load(x + apart));
    store(x, a), store(x + apart, b);
  }
}

// Error 2.6 ULP. tanh |x| = t / (t + 2) with t = e^(2|x|) - 1, computed as 2^n * (e^f - 1) + (2^n - 1), which is accurate near
// 0. It needs only one division. The result is never above 1, because t <= t + 2, and exactly 1 for |x| >= 9.
FORCE_INLINE v tanh(v x) {
  Exponential e = exponential(min(splat(40), magnitude(x) * 2.f));
  v power = power_of_two(e.n);
  v t = madd(power, e.fraction, power - 1.f);
  return with_sign_of(t / (t + 2.f), x);
}

// log(1 + e^x)
FORCE_INLINE v softplus(v x) {
  v positive = select(x < splat(0), splat(0), x);
  return positive + log1p(exp(-magnitude(x)));
}
FORCE_INLINE v hard_sigmoid(v x) { return clamp(madd(x, splat(1.f / 6), splat(0.5f)), 0.f, 1.f); }
FORCE_INLINE v relu(v x) { return select(x < splat(0), splat(0), x); }

// x + x*P(x^2) for |x| < 1; otherwise 1 - exp(|x|*Q(|x|)), with the sign of x.
FORCE_INLINE v erf(v x) {
  v t = magnitude(x);
  v near = polynomial(x * x, 0.12837917f, -0.37612626f, 0.11283585f, -0.026853813f, 0.0051883287f, -0.0008010201f,
                      7.853884e-5f);
  v s = min(splat(3.95f), t);
  v far = s * polynomial(s, -1.1286803f, -0.6350238f, -0.106445156f, 0.0239394f, -0.0037254111f, 0.000343003f,
                         -1.3231045e-5f);
  return select(t < splat(1), madd(x, near, x), with_sign_of(1.f - exp_normal(far), x));
}

// Rounds towards minus infinity; -0 stays -0. Adding and subtracting 2^23 rounds to an integer, which may then be 1 too
// large.
FORCE_INLINE v floor(v x) {
  v t = with_sign_of((magnitude(x) + 8388608.f) - 8388608.f, x);
  t = with_sign_of(magnitude(t - select(t > x, splat(1), splat(0))), x);
  return select(magnitude(x) < splat(8388608.f), t, x);
}

FORCE_INLINE v activate(int activation, v x) {
  switch (activation) {
    case a_tanh: return tanh(x);
    case a_sigmoid: return sigmoid(x);
    case a_relu: return relu(x);
    case a_hard_sigmoid: return hard_sigmoid(x);
    default: return x;
  }
}
NOINLINE v any_activation(int activation, v x) { return activate(activation, x); }
// Returns the derivative of the activation at the input for which it returned y.
FORCE_INLINE v derivative(int activation, v y) {
  switch (activation) {
    case a_tanh: return 1.f - y * y;
    case a_sigmoid: return y * (1.f - y);
    case a_relu: return select(y > splat(0), splat(1), splat(0));
    case a_hard_sigmoid: return select((y > splat(0)) & (y < splat(1)), splat(1.f / 6), splat(0));
    default: return splat(1);
  }
}

}  // namespace unroll::UNROLL_ISA
