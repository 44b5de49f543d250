// Implements tile.h: one instance of the tile for every shape, and the packing of panels.
#include "tile.h"

namespace unroll::UNROLL_ISA {

#if defined(__wasm__)
// V8 hardly optimises the loops that LLVM writes. KEEP_OFFSETS hides the origin of a pointer from LLVM, which would otherwise
// compute each address in a separate instruction instead of using the offset of the load. IN_ORDER keeps LLVM from moving
// all loads to the front, for which there are too few registers.
#define KEEP_OFFSETS(pointer) asm("" : "+r"(pointer))
#define IN_ORDER asm volatile("" ::: "memory")
#else
#define KEEP_OFFSETS(pointer)
#define IN_ORDER
#endif

// Unrolls the loop over k by a factor of two in AVX2, so that counting and branching take fewer instructions: a product
// takes two instructions in AVX2 but one in AVX-512, and Haswell starts only four instructions per cycle. (AVX-512 is up
// to 2 % slower if the loop is unrolled.)
#if VL == 8 && defined(__clang__)
#define UNROLL_TWICE _Pragma("clang loop unroll_count(2)")
#elif VL == 8
#define UNROLL_TWICE _Pragma("GCC unroll 2")
#else
#define UNROLL_TWICE
#endif

// Adds a[r][k] * b[j] to sum[r][j] for all rows r and vectors j. Keeps the values of a or the vectors of b in registers,
// whichever are fewer, and loads the others one at a time. (Offsets are unsigned, as in WebAssembly.)
template <int M, int NV, int P, class Weight>
FORCE_INLINE void row_of_products(const float* const (&a)[M], long k, const Weight* const (&b)[P],
                                  v (&sum)[M][P * NV]) {
  if constexpr (M <= P * NV) {
    v s[M];
    UNROLL_LOOP for (int r = 0; r < M; r++) s[r] = splat(a[r][k]);
    UNROLL_LOOP for (int j = 0; j < P * NV; j++) {
      const v w = load(b[j / NV] + (unsigned)(j % NV * VL));
      if constexpr (M == 1) IN_ORDER;
      UNROLL_LOOP for (int r = 0; r < M; r++) sum[r][j] = madd(s[r], w, sum[r][j]);
    }
  } else {
    v w[P * NV];
    UNROLL_LOOP for (int j = 0; j < P * NV; j++) w[j] = load(b[j / NV] + (unsigned)(j % NV * VL));
    UNROLL_LOOP for (int r = 0; r < M; r++) {
      const v s = splat(a[r][k]);
      UNROLL_LOOP for (int j = 0; j < P * NV; j++) sum[r][j] = madd(s, w[j], sum[r][j]);
    }
  }
}

// Whether a tile prefetches the panel even if it is not divided into slices. In AVX2 a row of a panel is one cache line, so it
// takes only one prefetch, and a panel of 1024 rows is larger than the L1 cache.
template <int M, int NV, int P>
constexpr bool prefetches_panel = VL == 8 && M >= 4 && NV == 2 && P == 1;

template <int M, int NV, int P, bool prefetch = false, class Weight>
static void run(const TileOf<Weight>& t) {
  v sum[M][P * NV];
#if UNROLL_SLICES
  if (t.partial_sums)
    UNROLL_LOOP for (int r = 0; r < M; r++)
      UNROLL_LOOP for (int j = 0; j < P * NV; j++) sum[r][j] = load(t.partial_sums + r * t.partialRow + j * VL);
  else
#endif
    UNROLL_LOOP for (int r = 0; r < M; r++) UNROLL_LOOP for (int j = 0; j < P * NV; j++) sum[r][j] = splat(0);
  const float* a[M];
  const Weight* b[P];
  UNROLL_LOOP for (int p = 0; p < P; p++) b[p] = t.b + p * t.bPanel;
  const long bRow = t.bRow, K = t.k;
  if (t.start && t.startRow)  // start is then a tile of C, which is rarely in the L1 cache
    UNROLL_LOOP for (int r = 0; r < M; r++)
      UNROLL_LOOP for (int j = 0; j < P * NV; j++) __builtin_prefetch(t.start + r * t.startRow + j * VL);
  if (t.aRow) {
    UNROLL_LOOP for (int r = 0; r < M; r++) a[r] = t.a + r * t.aRow;
    UNROLL_TWICE for (long k = 0; k < K; k++) {
      UNROLL_LOOP for (int p = 0; p < P; p++) KEEP_OFFSETS(b[p]);
#if UNROLL_SLICES
      if constexpr (prefetch)
        UNROLL_LOOP for (int j = 0; j < NV * VL; j += 64 / (int)sizeof(Weight)) {
          __builtin_prefetch(b[0] + 8 * bRow + j);                   // this slice of the panel, into the L1 cache
          __builtin_prefetch(b[0] + t.prefetch_distance + j, 0, 2);  // the next slice, into the L2 cache
        }
#endif
      if constexpr (prefetches_panel<M, NV, P> && !prefetch) __builtin_prefetch(b[0] + 16 * bRow);
      row_of_products<M, NV, P>(a, k, b, sum);
      UNROLL_LOOP for (int p = 0; p < P; p++) b[p] += bRow;
    }
  } else {
    const float* packed = t.a;
    UNROLL_TWICE for (long k = 0; k < K; k++, packed += M) {
      KEEP_OFFSETS(packed);
      UNROLL_LOOP for (int p = 0; p < P; p++) KEEP_OFFSETS(b[p]);
      UNROLL_LOOP for (int r = 0; r < M; r++) a[r] = packed + (unsigned)r;
      row_of_products<M, NV, P>(a, 0, b, sum);
      UNROLL_LOOP for (int p = 0; p < P; p++) b[p] += bRow;
    }
  }
  const float* start = t.start;
  if (start) {
    UNROLL_LOOP for (int r = 0; r < M; r++, start += t.startRow)
      UNROLL_LOOP for (int j = 0; j < P * NV; j++) sum[r][j] += load(start + j * VL);
  }
  float* out = t.out;
  UNROLL_LOOP for (int r = 0; r < M; r++, out += t.outRow)
    UNROLL_LOOP for (int j = 0; j < P * NV; j++) store(out + j * VL, sum[r][j]);
}

template <int NV, int M = most_rows(NV), class Weight>
FORCE_INLINE void choose_rows(int m, int panels, const TileOf<Weight>& t) {
  if (m == M) {
    if constexpr (most_panels(M, NV) >= 4)
      if (panels == 4) return run<M, NV, 4>(t);
    if constexpr (most_panels(M, NV) >= 2)
      if (panels == 2) return run<M, NV, 2>(t);
#if UNROLL_SLICES
    if (t.prefetch_distance) return run<M, NV, 1, true>(t);
#endif
    return run<M, NV, 1>(t);
  }
  if constexpr (M > 1) choose_rows<NV, M - 1>(m, panels, t);
}

template <class Weight>
FORCE_INLINE void choose(int m, int nv, int panels, const TileOf<Weight>& t) {
  switch (nv) {
    case 1: return choose_rows<1>(m, panels, t);
    case 2: return choose_rows<2>(m, panels, t);
  }
  if constexpr (panel_vectors == 4) nv == 3 ? choose_rows<3>(m, panels, t) : choose_rows<4>(m, panels, t);
}

void tile(int m, int nv, int panels, const Tile& t) { choose(m, nv, panels, t); }
#if UNROLL_FLOAT16
void tile(int m, int nv, int panels, const TileOf<half>& t) { choose(m, nv, panels, t); }
#endif

template <class Weight>
void pack_panel(const float* B, long ldb, int k, int column, int columns, int width, Weight* packed) {
  const int all = width * VL;
  for (long i = 0; i < k; i++) {
    const float* b = B + i * ldb + column;
    Weight* p = packed + i * all;
    // Rows may be pages apart, and the hardware prefetcher does not cross pages.
    for (int j = 0; j < columns; j += VL) __builtin_prefetch(b + 8 * ldb + j);
    int j = 0;
    for (; j + VL <= columns; j += VL) store(p + j, load(b + j));
    if (j < columns) store(p + j, load(b + j, columns - j)), j += VL;
    for (; j < all; j += VL) store(p + j, splat(0));
  }
}
template void pack_panel(const float*, long, int, int, int, int, float*);
#if UNROLL_FLOAT16
template void pack_panel(const float*, long, int, int, int, int, half*);
#endif

void pack_panel_transposed(const float* B, long ldb, int k, int column, int columns, int width, float* packed) {
  const int all = width * VL;
  for (int j = 0; j < all; j += 4) {
    const float* b = B + (long)(column + j) * ldb;
    float* p = packed + j;
    long i = 0;
    if (j + 4 <= columns)
      for (; i + 4 <= k; i += 4) transpose_4x4(b + i, ldb, p + i * all, all);
    for (; i < k; i++)
      for (int c = 0; c < 4; c++) p[i * all + c] = j + c < columns ? b[c * ldb + i] : 0;
  }
}

}  // namespace unroll::UNROLL_ISA
