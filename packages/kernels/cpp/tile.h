// The tile that every matrix product here is made of: a few rows times a few vectors of columns, summed over k in
// registers. gemm, the recurrent cells and their backward passes differ only in what they do with its result.
//
//   out[r][:] = start[r][:] + sum over k of a[r][k] * b[k][:]      r < m
//
// b is `panels` panels, each nv vectors wide; usually one. It is float32 or float16; the sums are float32. Every
// element is summed in the order of k and start is added last, whatever the shape of the tile, so results do not depend
// on how the rows are split.
#pragma once
#include "vec.h"
#include "work.h"

// Whether products may run in parts of k (see Parts).
#ifdef __wasm__
#define UNROLL_PARTS 0
#else
#define UNROLL_PARTS 1
#endif

namespace unroll::UNROLL_ISA {

template <class Weight>
struct TileOf {
  int k;
  const float* a;
  long aRow;  // floats between rows of a, whose k are contiguous; or 0: a is packed [k][m]
  const Weight* b;
  long bRow, bPanel;   // numbers between rows of b, and between panels
  const float* start;  // or null; in start and out the panels' columns lie side by side
  long startRow;       // 0: one row for all
  float* out;
  long outRow;
#if UNROLL_PARTS
  long fetch = 0;       // prefetches what lies so many numbers behind each row of b; 0: nothing
  bool resume = false;  // the sums begin with the values in out: an earlier part of k
#endif
};
typedef TileOf<float> Tile;

// A product over k in parts whose piece of the panel, `row` bytes for each k, stays in the L1 cache. The sums wait in `out`
// between the parts; they are added in the order of k as in one part, so the bits are the same. Up to most_in_turn tiles of
// rows take a part in turn: their sums share the L1 cache with it. WebAssembly, with narrow vectors, has one part.
#if UNROLL_PARTS
constexpr int most_in_turn = 10;
struct Parts {
  int k, count;
  Parts(int k, long row) : k(k), count(panel_bytes ? larger(1, (int)((k * row + panel_bytes - 1) / panel_bytes)) : 1) {}
  int from(int i) const { return split(k, count, i); }
  // Cuts a tile of m rows down to part i. fetch: it also prefetches the next part, which is the work of the first of the tiles
  // that take a part in turn. resume: the first part, too, adds to what `out` holds.
  template <class Weight>
  void cut(TileOf<Weight>& t, int m, int i, bool fetch, bool resume = false) const {
    t.resume = resume;
    if (count == 1) return;
    const int first = from(i);
    t.k = from(i + 1) - first;
    t.a += first * (t.aRow ? 1 : m), t.b += first * t.bRow;
    if (i < count - 1) t.start = nullptr;
    if (fetch && i < count - 1) t.fetch = t.k * t.bRow;
    t.resume = resume || i > 0;
  }
};
#else
constexpr int most_in_turn = 1;
struct Parts {
  static constexpr int count = 1;
  Parts(int, long) {}
  template <class Weight>
  void cut(TileOf<Weight>&, int, int, bool, bool = false) const {}
};
#endif

// The number of sums that fit the registers beside the operands. Without fused multiply-add a product needs one register
// more.
constexpr int accumulators = UNROLL_REGISTERS == 32 ? 24 : VL == 8 ? 12 : 8;
// The widest tile is 4 vectors. Where registers are few a panel of 2 is best: more rows share each load of b, and the
// panel is narrow enough to stay in the first cache.
constexpr int panel_vectors = UNROLL_REGISTERS == 32 ? 4 : 2;
// The most rows of a tile nv vectors wide.
constexpr int most_rows(int nv) { return accumulators / nv < 8 ? accumulators / nv : 8; }
// A tile of few rows takes several panels at once (1, 2 or 4). With one panel it would wait for its own sums, because an
// addition takes several cycles and two can start in each cycle. (A single row uses each weight once, and the time is
// that of loading it: one panel is best then, because more of it is still in the L1 cache from the previous step.)
constexpr int most_panels(int m, int nv) {
  if (2 * nv <= panel_vectors) return 1;  // panels are nearly equal in width: no second one is so narrow
  if (m == 1 && nv == 4 && VL == 16) return 1;
  const int together = (UNROLL_REGISTERS == 32 ? 8 : accumulators) / (m * nv);
  return together >= 4 ? 4 : together >= 2 ? 2 : 1;
}

// 1 <= nv <= panel_vectors, 1 <= m <= most_rows(nv), panels <= most_panels(m, nv). out has at most `accumulators` vectors.
void tile(int m, int nv, int panels, const Tile& t);
#if UNROLL_FLOAT16
void tile(int m, int nv, int panels, const TileOf<half>& t);
#endif

constexpr int whole_vectors(int n) { return ceil_div(n, VL) * VL; }
// n columns as panels of at most panel_vectors vectors, nearly equal in width; the last is padded to whole vectors.
struct Panels {
  int n, vectors, count;
  constexpr explicit Panels(int n) : n(n), vectors(ceil_div(n, VL)), count(ceil_div(vectors, panel_vectors)) {}
  constexpr int first_vector(int p) const { return split(vectors, count, p); }
  constexpr int width(int p) const { return first_vector(p + 1) - first_vector(p); }        // in vectors
  constexpr int column(int p) const { return first_vector(p) * VL; }                        // where it starts
  constexpr int columns(int p) const { return smaller(n - column(p), width(p) * VL); }      // without the padding
  // How many from p on, towards end (which may lie before p; without it), a tile of m rows takes at once.
  constexpr int together(int p, int end, int m) const {
    const int step = p < end ? 1 : -1;
    int some = most_panels(m, width(p));
    while (some > (end - p) * step || width(p + (some - 1) * step) != width(p)) some /= 2;
    return some;
  }
};

// Packs columns [column, column + columns) of a matrix [k][n], ldb floats between its rows, into [k][width*VL], zeros
// behind; of a matrix stored [n][k] if transposed.
template <class Weight>
void pack_panel(const float* B, long ldb, int k, int column, int columns, int width, Weight* packed);
void pack_panel_transposed(const float* B, long ldb, int k, int column, int columns, int width, float* packed);

}  // namespace unroll::UNROLL_ISA
