// The vector type of this build (VL floats in one register) and the few operations that need intrinsics. Apart from the maximum
// in double.h, all other files compute with `v` (floats) and `vi` (32-bit integers, and the lane masks that comparisons return:
// all ones or 0), without intrinsics.
//
// Every file is compiled once per instruction set with -DUNROLL_ISA=<name>. All symbols, even inline ones, are in the
// namespace unroll::UNROLL_ISA, so that the linker never mixes functions of different instruction sets. Only madd() fuses a
// product and a sum, because everything is compiled with -ffp-contract=off.
#pragma once
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef UNROLL_ISA
#define UNROLL_ISA portable
#endif

#if defined(__AVX512F__)
#define VL 16
#elif defined(__AVX2__) && defined(__FMA__)
#define VL 8
#else
#define VL 4
#endif

// The number of vector registers (16 for WebAssembly, like the machines that it usually runs on).
#if defined(__AVX512F__) || defined(__ARM_NEON)
#define UNROLL_REGISTERS 32
#else
#define UNROLL_REGISTERS 16
#endif

// Defines a function that the compiler must inline.
#define FORCE_INLINE static inline __attribute__((always_inline))
// Defines a function that runs rarely or costs little: the inference-only build does not inline it, to stay small. Other
// builds inline it.
#ifdef UNROLL_INFERENCE_ONLY
#define NOINLINE inline __attribute__((noinline))
#else
#define NOINLINE FORCE_INLINE
#endif
// Unrolls the loop that follows. The accumulators of a tile stay in registers only if every loop over it is unrolled.
#if defined(__clang__)
#define UNROLL_LOOP _Pragma("clang loop unroll(full)")
#else
#define UNROLL_LOOP _Pragma("GCC unroll 32")
#endif

namespace unroll::UNROLL_ISA {

typedef float v __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));
typedef float v_anywhere __attribute__((vector_size(VL * 4), aligned(4), may_alias));

#if defined(__AVX512F__)
FORCE_INLINE v splat(float x) { return (v)_mm512_set1_ps(x); }
#elif VL == 8
FORCE_INLINE v splat(float x) { return (v)_mm256_set1_ps(x); }
#else
FORCE_INLINE v splat(float x) { return v{x, x, x, x}; }
#endif
FORCE_INLINE v load(const float* p) { return *(const v_anywhere*)p; }
FORCE_INLINE void store(float* p, v x) { *(v_anywhere*)p = x; }
FORCE_INLINE v select(vi mask, v a, v b) { return mask ? a : b; }
// Returns 0, 1, 2, ...
FORCE_INLINE vi lanes() {
  vi r = {};
  UNROLL_LOOP for (int i = 0; i < VL; i++) r[i] = i;
  return r;
}

// Load or store the first n lanes at p. The other lanes are 0 after a load, and memory from p + n on is neither read nor
// written. load_few and store_few require n < VL.
#if defined(__AVX512F__)
FORCE_INLINE v load_few(const float* p, int n) { return (v)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
FORCE_INLINE void store_few(float* p, v x, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x); }
FORCE_INLINE v load(const float* p, int n) { return load_few(p, n); }
FORCE_INLINE void store(float* p, v x, int n) { store_few(p, x, n); }
#else
#if VL == 8
FORCE_INLINE v load_few(const float* p, int n) { return (v)_mm256_maskload_ps(p, (__m256i)(lanes() < n)); }
FORCE_INLINE void store_few(float* p, v x, int n) { _mm256_maskstore_ps(p, (__m256i)(lanes() < n), (__m256)x); }
#else
FORCE_INLINE v load_few(const float* p, int n) { return v{n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0}; }
FORCE_INLINE void store_few(float* p, v x, int n) {
  if (n > 0) p[0] = x[0];
  if (n > 1) p[1] = x[1];
  if (n > 2) p[2] = x[2];
}
#endif
// Full vectors are loaded and stored without a mask, because a masked store takes dozens of cycles on some machines.
NOINLINE v load_partial(const float* p, int n) { return load_few(p, n); }
NOINLINE void store_partial(float* p, v x, int n) { store_few(p, x, n); }
FORCE_INLINE v load(const float* p, int n) { return n == VL ? load(p) : load_partial(p, n); }
FORCE_INLINE void store(float* p, v x, int n) { n == VL ? store(p, x) : store_partial(p, x, n); }
#endif

// float16 (IEEE half precision) in memory, if the machine can convert it. Loads are exact; stores round to nearest, ties to
// even.
typedef uint16_t half;
#if defined(__AVX512F__)
#define UNROLL_FLOAT16 1
// On Zen 4, two conversions of 8 numbers and a merge are faster than one conversion of 16.
FORCE_INLINE v load(const half* p) {
  const __m256 low = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
  const __m256 high = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p + 1));
  return (v)_mm512_maskz_insertf32x8(0xffff, _mm512_castps256_ps512(low), high, 1);
}
FORCE_INLINE void store(half* p, v x) {
  _mm256_storeu_si256((__m256i*)p, _mm512_maskz_cvtps_ph(0xffff, (__m512)x, _MM_FROUND_TO_NEAREST_INT));
}
#elif VL == 8 && defined(__F16C__)
#define UNROLL_FLOAT16 1
FORCE_INLINE v load(const half* p) { return (v)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }
FORCE_INLINE void store(half* p, v x) {
  _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
}
#else
#define UNROLL_FLOAT16 0
#endif

// madd(a, b, c) = a*b + c, with one rounding if the machine supports it. max(a, b) = a > b ? a : b and
// min(a, b) = a < b ? a : b, so both return b if one of them is NaN.
#if defined(__AVX512F__)
#define UNROLL_FUSED 1
FORCE_INLINE v madd(v a, v b, v c) { return (v)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
FORCE_INLINE v max(v a, v b) { return (v)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b); }
FORCE_INLINE v min(v a, v b) { return (v)_mm512_maskz_min_ps(0xffff, (__m512)a, (__m512)b); }
FORCE_INLINE v sqrt(v x) { return (v)_mm512_maskz_sqrt_ps(0xffff, (__m512)x); }
#elif VL == 8
#define UNROLL_FUSED 1
FORCE_INLINE v madd(v a, v b, v c) { return (v)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
FORCE_INLINE v max(v a, v b) { return (v)_mm256_max_ps((__m256)a, (__m256)b); }
FORCE_INLINE v min(v a, v b) { return (v)_mm256_min_ps((__m256)a, (__m256)b); }
FORCE_INLINE v sqrt(v x) { return (v)_mm256_sqrt_ps((__m256)x); }
#elif defined(__x86_64__)
#define UNROLL_FUSED 0
FORCE_INLINE v madd(v a, v b, v c) { return a * b + c; }
FORCE_INLINE v max(v a, v b) { return (v)_mm_max_ps((__m128)a, (__m128)b); }
FORCE_INLINE v min(v a, v b) { return (v)_mm_min_ps((__m128)a, (__m128)b); }
FORCE_INLINE v sqrt(v x) { return (v)_mm_sqrt_ps((__m128)x); }
#elif defined(__wasm_simd128__)
#if defined(__wasm_relaxed_simd__)
#define UNROLL_FUSED 1
FORCE_INLINE v madd(v a, v b, v c) { return (v)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c); }
#else
#define UNROLL_FUSED 0
FORCE_INLINE v madd(v a, v b, v c) { return a * b + c; }
#endif
FORCE_INLINE v max(v a, v b) { return (v)wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
FORCE_INLINE v min(v a, v b) { return (v)wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
FORCE_INLINE v sqrt(v x) { return (v)wasm_f32x4_sqrt((v128_t)x); }
#elif defined(__ARM_NEON)
#define UNROLL_FUSED 1
FORCE_INLINE v madd(v a, v b, v c) { return (v)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
FORCE_INLINE v max(v a, v b) { return select(a > b, a, b); }
FORCE_INLINE v min(v a, v b) { return select(a < b, a, b); }
FORCE_INLINE v sqrt(v x) { return (v)vsqrtq_f32((float32x4_t)x); }
#else
#error "no vector type for this machine: compile with SIMD enabled, or add the machine here"
#endif

FORCE_INLINE v magnitude(v x) { return (v)((vi)x & 0x7fffffff); }
FORCE_INLINE v with_sign_of(v positive, v x) { return (v)((vi)positive | ((vi)x & INT32_MIN)); }

template <int... i>
struct Indices {};
template <int n, int... i>
struct Count : Count<n - 1, n - 1, i...> {};
template <int... i>
struct Count<0, i...> {
  typedef Indices<i...> type;
};
template <int half, int... i>
FORCE_INLINE v upper_half(v x, Indices<i...>) {
  return __builtin_shufflevector(x, x, (half + i % half)...);
}
// Combines all lanes into one number with join(a, b), always in the same order: it repeatedly joins the upper half of the
// vector with the lower half.
template <int half = VL / 2, class Join>
FORCE_INLINE float over_lanes(v x, const Join& join) {
  x = join(x, upper_half<half>(x, typename Count<VL>::type()));
  if constexpr (half > 1)
    return over_lanes<half / 2>(x, join);
  else
    return x[0];
}
FORCE_INLINE float sum_lanes(v x) {
  return over_lanes(x, [](v a, v b) __attribute__((always_inline)) { return a + b; });
}

// Transposes 4 by 4 floats.
typedef float v4 __attribute__((vector_size(16)));
typedef float v4_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
FORCE_INLINE void transpose_4x4(const float* x, long xRow, float* y, long yRow) {
  v4 a = *(const v4_anywhere*)x, b = *(const v4_anywhere*)(x + xRow);
  v4 c = *(const v4_anywhere*)(x + 2 * xRow), d = *(const v4_anywhere*)(x + 3 * xRow);
  v4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  v4 AB = __builtin_shufflevector(a, b, 2, 6, 3, 7), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(v4_anywhere*)y = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  *(v4_anywhere*)(y + yRow) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  *(v4_anywhere*)(y + 2 * yRow) = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
  *(v4_anywhere*)(y + 3 * yRow) = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
}

}  // namespace unroll::UNROLL_ISA
