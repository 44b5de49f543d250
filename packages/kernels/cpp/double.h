// Vectors of doubles, for kernels whose sums need the range and precision of binary64. DL doubles fill one register. Products
// and sums are never fused.
#pragma once
#include "vec.h"

#define DL (VL / 2)

namespace unroll::UNROLL_ISA {

typedef double d __attribute__((vector_size(VL * 4)));
typedef int64_t di __attribute__((vector_size(VL * 4)));
typedef double d_anywhere __attribute__((vector_size(VL * 4), aligned(8), may_alias));
typedef int64_t di_anywhere __attribute__((vector_size(VL * 4), aligned(8), may_alias));

// Returns a vector with x in all lanes. The subtraction is exact, also for -0, infinities and NaN.
FORCE_INLINE d splat(double x) { return x - d{}; }
FORCE_INLINE d load(const double* p) { return *(const d_anywhere*)p; }
FORCE_INLINE di load(const int64_t* p) { return *(const di_anywhere*)p; }
FORCE_INLINE void store(double* p, d x) { *(d_anywhere*)p = x; }
FORCE_INLINE d select(di mask, d a, d b) { return mask ? a : b; }
// The larger of a and b; b if one of them is NaN. For WebAssembly the instruction is chosen here, because the
// compiler would replace a comparison and a selection by the maximum of relaxed SIMD, whose result for NaN is not defined.
#if defined(__wasm_simd128__)
FORCE_INLINE d larger_of(d a, d b) { return (d)wasm_f64x2_pmax((v128_t)b, (v128_t)a); }
#else
FORCE_INLINE d larger_of(d a, d b) { return select(a > b, a, b); }
#endif

template <int half, int... i>
FORCE_INLINE d upper_half(d x, Indices<i...>) {
  return __builtin_shufflevector(x, x, (half + i % half)...);
}
// Like over_lanes of floats: combines all lanes, always in the same order.
template <int half = DL / 2, class Join>
FORCE_INLINE double over_lanes(d x, const Join& join) {
  x = join(x, upper_half<half>(x, typename Count<DL>::type()));
  if constexpr (half > 1)
    return over_lanes<half / 2>(x, join);
  else
    return x[0];
}
FORCE_INLINE double sum_lanes(d x) {
  return over_lanes(x, [](d a, d b) __attribute__((always_inline)) { return a + b; });
}
FORCE_INLINE double largest_lane(d x) {
  return over_lanes(x, [](d a, d b) __attribute__((always_inline)) { return larger_of(a, b); });
}

// exp(x) for x <= 700. 0 below -708, where the result would not be a normal number; NaN for NaN. x = n*ln2 + f with
// |f| <= ln2/2, and exp(f) is its Taylor polynomial.
FORCE_INLINE d exp(d x) {
  const d magic = splat(6755399441055744.);  // 1.5 * 2^52: adding it rounds to an integer, which is then in the low bits
  const d limited = larger_of(splat(-708.), x);
  const d z = limited * 1.4426950408889634074 + magic, n = z - magic;
  const d f = (limited - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
  d p = splat(1. / 479001600);
  constexpr double factorials[] = {39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1};
  UNROLL_LOOP for (int i = 0; i < 12; i++) p = p * f + 1 / factorials[i];
  const d power = (d)(((di)z - 0x4338000000000000 + 1023) << 52);
  return select(x < splat(-708.), d{}, p * power);
}

// log(x) for x = 0 and normal numbers; NaN for NaN. x = m * 2^e with m in [sqrt 1/2, sqrt 2), and
// log m = 2 atanh((m-1)/(m+1)).
FORCE_INLINE d log(d x) {
  const di bits = (di)x, e = (bits - 0x3fe6a09e667f3bcd) >> 52;
  const d m = (d)(bits - (e << 52)), s = (m - 1) / (m + 1), q = s * s;
  d series = splat(1. / 21);
  UNROLL_LOOP for (int k = 19; k >= 1; k -= 2) series = series * q + 1. / k;
  const d r = __builtin_convertvector(e, d) * 0.693147180559945309417 + 2. * s * series;
  return select(x > d{}, r, select(x == d{}, splat(-__builtin_inf()), x));
}

}  // namespace unroll::UNROLL_ISA
