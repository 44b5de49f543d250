// Matrix products. Large ones are cut into blocks that fit in the caches (KC deep, NC wide, MC high). Each block of B is
// packed into panels, and a block of A into tiles if A is stored transposed; the function `tile` of tile.h computes their
// product. There are three special cases: with few rows, B is not packed; with few columns, the transposed product is
// computed; and with few rows and both operands contiguous along k, the product is computed as dot products. The choice
// depends only on the shapes, not on the number of threads.
#include "kernels_impl.h"
#include "tile.h"

namespace unroll::UNROLL_ISA {
namespace {

struct Product {
  bool transA, transB;
  int m, n, k;
  const float* A;
  long lda;
  const float* B;
  long ldb;
  float* C;
  long ldc;
  bool add;
  const float* bias;  // only if not `add`
};

// The block of A and the panels of B stay in the L2 cache (608 KiB of scratch memory); one panel of B at a time is in the L1
// cache.
constexpr int KC = 256, MC = 96, NC = 512;
constexpr long products_scratch = KC * (MC + NC) + VL;
static_assert(products_scratch <= scratch_floats());

// Packs `rows` rows of op(A) from `row` on, and k columns from `from` on, as tiles [k][rows of the tile]. The rows are split
// evenly. The loop packs 16 values of k of all tiles before the next 16, because the tiles share the cache lines of the
// stored rows of A, which are then read only once.
void pack_tiles(const Product& p, int row, int rows, int tiles, int from, int k, float* packed) {
  constexpr int step = 16;
  for (int j = 0; j < k; j += step)
    for (int i = 0; i < tiles; i++) {
      const int first = split(rows, tiles, i), m = split(rows, tiles, i + 1) - first, end = min(k, j + step);
      const float* a = p.A + (long)(from + j) * p.lda + row + first;
      float *to = packed + (long)first * k + j * m, *last = packed + (long)(first + m) * k - VL;
      for (int n = j; n < end; n++, a += p.lda, to += m)
        for (int r = 0; r < m; r += VL) {
          const int left = min(m - r, VL);
          // Storing whole vectors is faster. The extra lanes are overwritten by the following rows of this tile.
          store(to + r, load(a + r, left), to + r <= last ? VL : left);
        }
    }
}

// Computes one tile (`panels` panels of nv vectors) and writes it to C: directly if all its vectors are full, otherwise
// through a buffer. Only the direct case computes the slices of k (see KSlices in tile.h) one by one; the other case computes
// all of k in the call for slice 0. partial_sums: where the sums are kept after every slice but the last.
void tile_into(const Product& p, Tile t, int m, int nv, int panels, int row, int column, int columns, bool add,
               [[maybe_unused]] const KSlices& slices, int slice, [[maybe_unused]] bool prefetch,
               [[maybe_unused]] float* partial_sums) {
  float* C = p.C + row * p.ldc + column;
  const int width = panels * nv * VL;
  const float* bias = add || !p.bias ? nullptr : p.bias + column;
  if (columns == width) {
    t.start = add ? C : bias, t.startRow = add ? p.ldc : 0;
    t.out = C, t.outRow = p.ldc;
    if (!add)  // fetches the cache lines of C while the sums are computed
      for (int r = 0; r < m; r++)
        for (int j = 0; j < width; j += VL) __builtin_prefetch(C + r * p.ldc + j, 1);
#if UNROLL_SLICES
    if (slices.count > 1) {
      slices.restrict_tile(t, m, slice, prefetch);
      if (slice > 0) t.partial_sums = partial_sums, t.partialRow = width;
      if (slice < slices.count - 1) t.out = partial_sums, t.outRow = width;
    }
#endif
    return tile(m, nv, panels, t);
  }
  if (slice > 0) return;
  alignas(64) float z[accumulators * VL];
  t.start = nullptr, t.out = z, t.outRow = width;
  tile(m, nv, panels, t);
  for (int r = 0; r < m; r++, C += p.ldc)
    for (int j = 0; j < columns; j += VL) {
      const int n = min(columns - j, VL);
      v x = load(z + r * width + j);
      if (add) x += load(C + j, n);
      if (bias) x += load(bias + j, n);
      store(C + j, x, n);
    }
}

// Computes all rows of the columns [column, column + panels.n) of C, summed over [from, from + k).
void block(const Product& p, int column, const Panels& panels, int from, int k, bool add) {
  float *packedA = scratch(), *packedB = packedA + KC * MC + VL;
  for (int j = 0; j < panels.count; j++)
    (p.transB ? pack_panel_transposed : pack_panel<float>)(p.transB ? p.B + from : p.B + from * p.ldb, p.ldb, k,
                                                           column + panels.column(j), panels.columns(j),
                                                           panels.width(j), packedB + (long)panels.column(j) * k);
  // Where each tile keeps its sums while the other tiles use the current slice of k (see KSlices in tile.h).
  alignas(64) float partial_sums[most_tiles_in_group * accumulators * VL];
  const int heights = ceil_div(p.m, MC), widest = ceil_div(panels.vectors, panels.count);
  for (int h = 0; h < heights; h++) {
    const int row = split(p.m, heights, h), rows = split(p.m, heights, h + 1) - row;
    const int tiles = ceil_div(rows, most_rows(widest));
    if (p.transA) pack_tiles(p, row, rows, tiles, from, k, packedA);
    for (int j = 0; j < panels.count; j++) {
      const int nv = panels.width(j), at = panels.column(j);
      const KSlices slices(k, nv * VL * sizeof(float));
      const auto compute_slice = [&](int i, int slice, bool prefetch) {
        const int first = split(rows, tiles, i), m = split(rows, tiles, i + 1) - first;
        Tile t = {k, packedA + (long)first * k, 0, packedB + (long)at * k, nv * VL, 0, nullptr, 0, nullptr, 0};
        if (!p.transA) t.a = p.A + (row + first) * p.lda + from, t.aRow = p.lda;
        tile_into(p, t, m, nv, 1, row + first, column + at, panels.columns(j), add, slices, slice, prefetch,
                  partial_sums + (most_tiles_in_group > 1 ? i % most_tiles_in_group : 0) * accumulators * VL);
      };
      for (int first = 0, last; first < tiles; first = last) {
        last = slices.count > 1 ? min(tiles, first + most_tiles_in_group) : first + 1;
        for (int slice = 0; slice < slices.count; slice++)
          for (int i = first; i < last; i++) compute_slice(i, slice, i == first);
      }
    }
  }
}

// Computes large products, block by block.
void blocked(const Product& p) {
  const int vectors = ceil_div(p.n, VL), widths = ceil_div(p.n, NC), depths = ceil_div(p.k, KC);
  for (int w = 0; w < widths; w++) {
    const int column = split(vectors, widths, w) * VL, end = min(p.n, split(vectors, widths, w + 1) * VL);
    const Panels panels(end - column);
    for (int d = 0; d < depths; d++) {
      const int from = split(p.k, depths, d);
      block(p, column, panels, from, split(p.k, depths, d + 1) - from, p.add || d > 0);
    }
  }
}

constexpr int most_rows_without_packing = 6 * most_rows(panel_vectors);
constexpr int few_rows_scratch = KC * (most_rows_without_packing + VL) + VL;
// Computes products with few rows and B not transposed. Packing B would take too long compared with the product.
void few_rows(const Product& p) {
  const int depths = ceil_div(p.k, KC);
  float *packedA = scratch(), *edge = packedA + KC * most_rows_without_packing + VL;
  for (int d = 0; d < depths; d++) {
    const int from = split(p.k, depths, d), k = split(p.k, depths, d + 1) - from;
    const int tiles = ceil_div(p.m, most_rows(panel_vectors));
    const float* B = p.B + from * p.ldb;
    if (p.transA) pack_tiles(p, 0, p.m, tiles, from, k, packedA);
    const auto columns = [&](int column, int count, int nv, int panels, const float* b, long bRow) {
      for (int i = 0; i < tiles; i++) {
        const int row = split(p.m, tiles, i), m = split(p.m, tiles, i + 1) - row;
        Tile t = {k, packedA + row * k, 0, b, bRow, nv * VL, nullptr, 0, nullptr, 0};
        if (!p.transA) t.a = p.A + row * p.lda + from, t.aRow = p.lda;
        tile_into(p, t, m, nv, panels, row, column, count, p.add || d > 0, KSlices(k, 0), 0, false, nullptr);
      }
    };
    const int whole = p.n / VL, tail = p.n - whole * VL;
    for (int vector = 0; vector < whole;) {
      const int left = whole - vector, nv = min(left, panel_vectors), most = best_panels(ceil_div(p.m, tiles), nv);
      const int panels = most * nv <= left ? most : 1;
      columns(vector * VL, panels * nv * VL, nv, panels, B + vector * VL, p.ldb);
      vector += panels * nv;
    }
    if (!tail) continue;
    pack_panel(B, p.ldb, k, p.n - tail, tail, 1, edge);  // B must not be read beyond the ends of its rows
    columns(p.n - tail, tail, 1, 1, edge, VL);
  }
}

// Computes the dot products of M rows of A and N columns of B, both contiguous along k. C[i][j] is at
// C[i*rowStep + j*columnStep].
template <int M, int N>
void dots(int k, const float* A, long lda, const float* B, long ldb, float* C, long rowStep, long columnStep, bool add) {
  v sum[M][N];
  UNROLL_LOOP for (int i = 0; i < M; i++) UNROLL_LOOP for (int j = 0; j < N; j++) sum[i][j] = splat(0);
  for (int x = 0; x < k; x += VL) {
    const int n = min(k - x, VL);
    v b[N];
    UNROLL_LOOP for (int j = 0; j < N; j++) b[j] = n == VL ? load(B + j * ldb + x) : load(B + j * ldb + x, n);
    UNROLL_LOOP for (int i = 0; i < M; i++) {
      const v a = n == VL ? load(A + i * lda + x) : load(A + i * lda + x, n);
      UNROLL_LOOP for (int j = 0; j < N; j++) sum[i][j] = madd(a, b[j], sum[i][j]);
    }
  }
  UNROLL_LOOP for (int i = 0; i < M; i++) UNROLL_LOOP for (int j = 0; j < N; j++) {
    float* c = C + i * rowStep + j * columnStep;
    *c = add ? *c + sum_lanes(sum[i][j]) : sum_lanes(sum[i][j]);
  }
}

// The largest number of columns in a block of dot products. Few shapes use wide blocks, so the inference-only build omits them.
#ifdef UNROLL_INFERENCE_ONLY
constexpr int wide_dots = 1;
#else
constexpr int wide_dots = 4;
#endif

// Computes A [m][k] times the transpose of B [n][k], in blocks of 2 by 4 or 4 by 1 dot products, in which each load is used
// for several sums.
void all_dots(int m, int n, int k, const float* A, long lda, const float* B, long ldb, float* C, long rowStep,
              long columnStep, bool add) {
  for (int j = 0; j < n;) {
    const int width = n - j >= wide_dots ? wide_dots : 1;
    for (int i = 0; i < m;) {
      const float *a = A + i * lda, *b = B + j * ldb;
      float* c = C + i * rowStep + j * columnStep;
      const int height = width == 4 ? (m - i >= 2 ? 2 : 1) : m - i >= 4 ? 4 : 1;
      const auto block_of_dots = width == 4 ? (height == 2 ? dots<2, 4> : dots<1, 4>) : height == 4 ? dots<4, 1> : dots<1, 1>;
      block_of_dots(k, a, lda, b, ldb, c, rowStep, columnStep, add);
      i += height;
    }
    j += width;
  }
}

// Computes products with few columns: the transposed product C^T = op(B)^T op(A)^T has few rows.
void few_columns(const Product& p) {
  if (p.transA) {  // op(A)^T is A as stored; the rows of C^T are computed in a buffer
    constexpr int width = 4096;
    static_assert(few_rows_scratch + width * VL <= scratch_floats());
    float* rows = scratch() + few_rows_scratch;
    for (int first = 0; first < p.m; first += width)
      for (int j = 0; j < p.n; j += most_rows_without_packing) {
        const int columns = min(p.m - first, width), m = min(p.n - j, most_rows_without_packing);
        few_rows({!p.transB, false, m, columns, p.k, p.B + j * (p.transB ? p.ldb : 1), p.ldb, p.A + first, p.lda, rows,
                  columns, false, nullptr});
        for (int i = 0; i < columns; i++)
          for (int r = 0; r < m; r++) {
            float* c = p.C + (first + i) * p.ldc + j + r;
            *c = p.add ? *c + rows[(long)r * columns + i] : rows[(long)r * columns + i];
          }
      }
    return;
  }
  if (p.transB || p.ldb == 1) {
    const long ldb = p.transB ? p.ldb : p.k;
    return all_dots(p.m, p.n, p.k, p.A, p.lda, p.B, ldb, p.C, p.ldc, 1, p.add);
  }
  const int depths = ceil_div(p.k, (int)(scratch_floats() / VL));
  for (int d = 0; d < depths; d++) {
    const int from = split(p.k, depths, d), k = split(p.k, depths, d + 1) - from;
    float* columns = scratch();  // a copy of the columns of B, each contiguous
    for (int i = 0; i < k; i++)
      for (int j = 0; j < p.n; j++) columns[(long)j * k + i] = p.B[(from + i) * p.ldb + j];
    all_dots(p.m, p.n, k, p.A + from, p.lda, columns, k, p.C, p.ldc, 1, p.add || d > 0);
  }
}

enum Way { way_blocked, way_few_rows, way_few_columns, way_dots };
Way choose(const Product& p) {
  if (p.transB) {
    if (p.m <= most_rows(panel_vectors) && (!p.transA || (p.m == 1 && p.lda == 1))) return way_dots;
  } else if (p.m <= most_rows_without_packing) {
    return way_few_rows;
  }
  if (2 * p.n <= VL && (p.transA || p.k >= 2 * VL)) return way_few_columns;
  return way_blocked;
}

void run(Way way, const Product& p) {
  switch (way) {
    case way_few_rows: return few_rows(p);
    case way_few_columns: return few_columns(p);
    case way_dots: return all_dots(p.n, p.m, p.k, p.B, p.ldb, p.A, p.lda, p.C, 1, p.ldc, p.add);
    default: return blocked(p);
  }
}

// Returns part i of the product, which is cut into `parts` parts along the longer side of C.
Product part(Product p, int parts, int i) {
  if (p.n >= p.m) {
    const int from = split(p.n, parts, i);
    p.n = split(p.n, parts, i + 1) - from;
    p.B += p.transB ? from * p.ldb : from;
    p.C += from;
    if (p.bias) p.bias += from;
  } else {
    const int from = split(p.m, parts, i);
    p.m = split(p.m, parts, i + 1) - from;
    p.A += p.transA ? from : from * p.lda;
    p.C += from * p.ldc;
  }
  return p;
}

#ifndef UNROLL_INFERENCE_ONLY
// Weight gradients sum many products into a small C. k is split in two, and the two sums are added. Each of two
// threads then reads and packs half of A and half of B; if C were split, both would need all of A or all of B. If there is only
// one thread, it also computes two sums and adds them, because results must not depend on the number of threads.
bool wants_split_k(Way way, const Product& p) {
  return p.transA && (way == way_blocked || way == way_few_rows) && p.k >= 4 * KC &&
         (long)p.m * p.n <= scratch_floats() - products_scratch;
}
void split_k(Way way, const Product& p, int threads) {
  float* second = scratch() + products_scratch;  // [m][n]: the sum of the second half
  const int parts = min(threads % 2 ? threads : threads / 2, max(p.m, p.n));
  const auto job = [&](int i) {
    Product part_of_k = p;
    part_of_k.k = p.k / 2;
    if (i % 2) {
      part_of_k.A += p.transA ? part_of_k.k * p.lda : part_of_k.k;
      part_of_k.B += p.transB ? part_of_k.k : part_of_k.k * p.ldb;
      part_of_k.k = p.k - part_of_k.k;
      part_of_k.C = second, part_of_k.ldc = p.n, part_of_k.add = false, part_of_k.bias = nullptr;
    }
    run(way, part(part_of_k, parts, i / 2));
  };
  const auto add = [&](int from, int to) {
    for (long r = from; r < to; r++)
      for (int j = 0; j < p.n; j += VL) {
        const int n = min(p.n - j, VL);
        float* c = p.C + r * p.ldc + j;
        store(c, load(c, n) + load(second + r * p.n + j, n), n);
      }
  };
  if (threads == 1) {
    job(0), job(1), add(0, p.m);
  } else {
    parallel(2 * parts, job);
    parallel(threads, [&](int i) { add(split(p.m, threads, i), split(p.m, threads, i + 1)); });
  }
}
#endif

}  // namespace

void gemm(const Gemm& c) {
  const int m = c.m, n = c.n, k = c.k, batch = c.batch;
  if (m <= 0 || n <= 0) return;
  Product whole = {c.transA != 0, c.transB != 0, m,   n,     k,          c.A, c.lda,
                   c.B,           c.ldb,         c.C, c.ldc, c.add != 0, c.add ? nullptr : c.bias};
  const Way way = choose(whole);
  // Only blocked and few_rows add the bias themselves. For the others, C is small and is first set to the bias.
  const bool initialise = k <= 0 ? !c.add : whole.bias && way != way_blocked && way != way_few_rows;
  if (initialise)
    for (long i = 0; i < batch; i++)
      for (long r = 0; r < m; r++) {
        float* row = c.C + (long)i * c.strideC + r * c.ldc;
        if (!whole.bias) fill(row, n, 0);
        else
          for (int j = 0; j < n; j += VL) store(row + j, load(c.bias + j, min(n - j, VL)), min(n - j, VL));
      }
  if (k <= 0) return;
  if (initialise) whole.add = true, whole.bias = nullptr;
  const double operations = 2.0 * m * n * k;
  const int threads = worthwhile_threads(operations * batch);
#ifndef UNROLL_INFERENCE_ONLY
  if (batch == 1 && wants_split_k(way, whole)) return split_k(way, whole, threads);
#endif
  const int parts = batch >= threads ? 1 : min(threads, max(m, n));
  auto job = [&](int i) {
    const long b = i / parts;
    Product p = whole;
    p.A += b * c.strideA, p.B += b * c.strideB, p.C += b * c.strideC;
    run(way, part(p, parts, i % parts));
  };
  if (threads == 1)
    for (int i = 0; i < batch; i++) job(i);
  else
    parallel(batch * parts, job);
}

}  // namespace unroll::UNROLL_ISA
