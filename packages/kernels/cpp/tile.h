// The tile: the product of a few rows and a few SIMD vectors of adjacent columns, summed over k in registers. All matrix
// products are made of tiles. gemm, the recurrent cells and their backward passes differ only in what they do with the sums.
//
//   out[r][:] = start[r][:] + sum over k of a[r][k] * b[k][:]      r < m
//
// b has `panels` panels (usually one), each nv vectors wide, in float32 or float16; the sums are float32. For every shape of
// the tile, each element is summed in the order of k, and start is added last. Results therefore do not depend on how the
// rows are split.
#pragma once
#include "vec.h"
#include "work.h"

// 1: the sum over k of a product can be computed in several slices (see KSlices).
#ifdef __wasm__
#define UNROLL_SLICES 0
#else
#define UNROLL_SLICES 1
#endif

namespace unroll::UNROLL_ISA {

template <class Weight>
struct TileOf {
  int k;
  const float* a;
  long aRow;  // floats between rows of a, which are contiguous along k; 0: a is packed as [k][m]
  const Weight* b;
  long bRow, bPanel;   // elements between rows of b, and between panels
  const float* start;  // or null; in start and out, the columns of all panels are adjacent
  long startRow;       // floats between rows of start; 0: one row for all rows of a
  float* out;
  long outRow;
#if UNROLL_SLICES
  long prefetch_distance = 0;  // prefetches the elements this far beyond each row of b; 0: no prefetching
  const float* partial_sums = nullptr;  // the sums over earlier slices of k, to which this slice is added, or null
  long partialRow = 0;                  // floats between rows of partial_sums
#endif
};
typedef TileOf<float> Tile;

// Divides the sum over k of a product into slices, each a range of k, so that the slice of the panel that is in use (`row`
// bytes for each k) stays in the L1 cache. Between the slices, the sums are kept in `out`; they are still added in the order
// of k, so results are bit-identical. Up to most_tiles_in_group tiles of rows use a slice, one after another, before the next
// slice begins; their sums are in the L1 cache too. WebAssembly has narrow vectors and uses a single slice.
// Returns the size of the slices for a number of rows. A single row has no slices, because it uses each weight only once.
inline int slice_bytes_for(int rows) { return rows > 1 ? slice_bytes() : 0; }
#if UNROLL_SLICES
constexpr int most_tiles_in_group = 10;
struct KSlices {
  int k, count;
  KSlices(int k, long row, int bytes = slice_bytes())
      : k(k), count(bytes ? max(1, (int)((k * row + bytes - 1) / bytes)) : 1) {}
  int from(int i) const { return split(k, count, i); }
  // Restricts a tile of m rows to slice i. prefetch: the tile also prefetches the next slice; set it for the first tile of a
  // group. resume: the first slice adds to the values in `out` too, instead of starting from 0.
  template <class Weight>
  void restrict_tile(TileOf<Weight>& t, int m, int i, bool prefetch, bool resume = false) const {
    if (resume || i > 0) t.partial_sums = t.out, t.partialRow = t.outRow;
    if (count == 1) return;
    const int first = from(i);
    t.k = from(i + 1) - first;
    t.a += first * (t.aRow ? 1 : m), t.b += first * t.bRow;
    if (i < count - 1) t.start = nullptr;
    if (prefetch && i < count - 1) t.prefetch_distance = t.k * t.bRow;
  }
};
#else
constexpr int most_tiles_in_group = 1;
struct KSlices {
  static constexpr int count = 1;
  KSlices(int, long, int = 0) {}
  template <class Weight>
  void restrict_tile(TileOf<Weight>&, int, int, bool, bool = false) const {}
};
#endif

// The number of vectors of sums for which there are registers, in addition to the operands. Without fused multiply-add, a
// product needs one more register.
constexpr int accumulators = UNROLL_REGISTERS == 32 ? 24 : VL == 8 ? 12 : 8;
// The largest number of vectors in a panel. With few registers, 2 is best: more rows use each load of b, and the panel is narrow
// enough to stay in the L1 cache.
constexpr int panel_vectors = UNROLL_REGISTERS == 32 ? 4 : 2;
// Returns the largest number of rows of a tile that is nv vectors wide.
constexpr int most_rows(int nv) { return accumulators / nv < 8 ? accumulators / nv : 8; }
// Returns how many panels (1, 2 or 4) a tile of m rows can compute at once. With one panel, a tile of few rows would wait for
// its own sums, because an addition takes several cycles and two can start in each cycle.
constexpr int most_panels(int m, int nv) {
  if (2 * nv <= panel_vectors) return 1;  // panels have nearly equal widths, so no other panel is this narrow
  const int together = (UNROLL_REGISTERS == 32 ? 8 : accumulators) / (m * nv);
  return together >= 4 ? 4 : together >= 2 ? 2 : 1;
}
// Returns how many panels a tile of m rows should compute at once. A single row uses each weight only once, so loading the
// weights takes all the time. On cores with AVX-512 at half rate, which have no slices, one panel is then best, because more
// of it is still in the L1 cache from the previous step; at full rate, two are.
inline int best_panels(int m, int nv) {
  return m == 1 && nv == 4 && VL == 16 && !slice_bytes() ? 1 : most_panels(m, nv);
}

// Computes a tile. 1 <= nv <= panel_vectors, 1 <= m <= most_rows(nv), panels <= most_panels(m, nv). The tile has at most
// `accumulators` vectors of sums.
void tile(int m, int nv, int panels, const Tile& t);
#if UNROLL_FLOAT16
void tile(int m, int nv, int panels, const TileOf<half>& t);
#endif

constexpr int whole_vectors(int n) { return ceil_div(n, VL) * VL; }
// Divides n columns into panels of at most panel_vectors vectors, nearly equal in width; the last is padded to whole vectors.
struct Panels {
  int n, vectors, count;
  constexpr explicit Panels(int n) : n(n), vectors(ceil_div(n, VL)), count(ceil_div(vectors, panel_vectors)) {}
  constexpr int first_vector(int p) const { return split(vectors, count, p); }
  constexpr int width(int p) const { return first_vector(p + 1) - first_vector(p); }        // in vectors
  constexpr int column(int p) const { return first_vector(p) * VL; }                        // the first column
  constexpr int columns(int p) const { return min(n - column(p), width(p) * VL); }      // without the padding
  // Returns how many panels a tile of m rows computes at once, from p on towards `end` (exclusive; may be less than p).
  int panels_at_once(int p, int end, int m) const {
    const int step = p < end ? 1 : -1;
    int panels = best_panels(m, width(p));
    while (panels > (end - p) * step || width(p + (panels - 1) * step) != width(p)) panels /= 2;
    return panels;
  }
};

// Packs the columns [column, column + columns) of a matrix B [k][n], whose rows are ldb floats apart, as [k][width*VL], padded
// with zeros. pack_panel_transposed expects B stored as [n][k].
template <class Weight>
void pack_panel(const float* B, long ldb, int k, int column, int columns, int width, Weight* packed);
void pack_panel_transposed(const float* B, long ldb, int k, int column, int columns, int width, float* packed);

}  // namespace unroll::UNROLL_ISA
