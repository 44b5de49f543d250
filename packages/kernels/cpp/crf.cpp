// Linear-chain conditional random fields: the forward-backward algorithm (Rabiner 1989) on probabilities in double precision,
// which are scaled in every step. With E = exp(transitions) and e_t = exp(emissions of step t), the recursions are
//
//   a_t(j) = sum_i a_{t-1}(i) E(i,j) e_t(j) / c_t          b_{t-1}(i) = sum_j E(i,j) e_t(j) b_t(j) / d_{t-1}
//
// The scale c_t makes sum_j a_t(j) = 1, and d_t makes sum_i a_t(i) b_t(i) = 1, so that a_t(i) b_t(i) is the probability of
// tag i at step t. This needs about B*T*K exponentials, while logarithms need B*T*K^2. If the probability of a possible tag
// becomes so small that underflow could change later steps, the sequence is computed again with logarithms, which are slower
// but do not underflow. Both computations are in this file, because they share tables and working memory.
#include "functions.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

// Vectors of doubles. Rows of K doubles are padded to a multiple of `PAD`.
constexpr int DL = VL / 2, PAD = 8;
typedef double d __attribute__((vector_size(VL * 4)));
typedef double d_anywhere __attribute__((vector_size(VL * 4), aligned(4), may_alias));
FORCE_INLINE d load_doubles(const double* p) { return *(const d_anywhere*)p; }
FORCE_INLINE void store_doubles(double* p, d x) { *(d_anywhere*)p = x; }

// If a possible tag is less probable than this, the sequence is computed with logarithms. Terms lost to underflow are smaller
// than 1e-300, so they do not change any probability above the limit.
constexpr double min_probability = 1e-280;

constexpr int padded(int K) { return ceil_div(K, PAD) * PAD; }
constexpr int parts_of(int B) { return min(B, crf_parts); }
// The size in doubles of the tables, which all sequences share, and of the memory of each part of the batch.
constexpr long table_size(long T, long K) { return (2 * K + 2 + T + 1) * padded(K); }
constexpr long part_size(long T, long K) { return (T + 2 * K + 2 + 5) * padded(K); }

void clear(double* x, long n) {
  for (long i = 0; i < n; i++) x[i] = 0;
}
// Returns the largest number; 0 if all are -inf.
float largest_of(const float* x, long n) {
  float most = -__builtin_inff();
  for (long i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  return most == -__builtin_inff() ? 0 : most;
}
// y[i] = exp(x[i] - shift) for x[i] <= shift; 0 if the result is less than 2^-1022.
void exps(const float* x, float shift, double* y, int n) {
  for (int i = 0; i < n; i += VL) {
    const int count = min(VL, n - i);
    const Exponential e = exponential(clamp(load(x + i, count) - shift, -1000.f, 0.f));
    for (int l = 0; l < count; l++) {
      const int power = e.n[l] < -1022 ? 0 : e.n[l] + 1023;
      y[i + l] = (1. + e.fraction[l]) * __builtin_bit_cast(double, (int64_t)power << 52);
    }
  }
}
float log_of(float x) { return log(splat(x))[0]; }

// A product of many positive numbers as mantissa * 2^exponent.
struct ScaledProduct {
  double mantissa = 1;
  int64_t exponent = 0;
  void multiply(double x) {
    mantissa *= x;
    const int64_t bits = __builtin_bit_cast(int64_t, mantissa);
    exponent += (bits >> 52) - 1023;
    mantissa = __builtin_bit_cast(double, (bits & 0xfffffffffffff) | (1023ll << 52));
  }
  double logarithm() const { return exponent * 0.693147180559945309 + log_of((float)mantissa); }
};

// y[c] = sum_i x[i] M[i][c] for the blocks * PAD columns c from j on. Even and odd rows have separate sums, because each sum is
// a chain of dependent operations.
template <int blocks>
FORCE_INLINE void product_of(const double* x, const double* M, double* y, int K, int width, int j) {
  constexpr int N = blocks * (PAD / DL);
  d even[N] = {}, odd[N] = {};
  int i = 0;
  for (; i + 2 <= K; i += 2) {
    const double* row = M + (long)i * width + j;
    UNROLL_LOOP for (int n = 0; n < N; n++) {
      even[n] += x[i] * load_doubles(row + n * DL);
      odd[n] += x[i + 1] * load_doubles(row + width + n * DL);
    }
  }
  if (i < K)
    UNROLL_LOOP for (int n = 0; n < N; n++) even[n] += x[i] * load_doubles(M + (long)i * width + j + n * DL);
  UNROLL_LOOP for (int n = 0; n < N; n++) store_doubles(y + j + n * DL, even[n] + odd[n]);
}
void product(const double* x, const double* M, double* y, int K, int width) {
  int j = 0;
  if constexpr (VL > 4)
    for (; j + 3 * PAD <= width; j += 3 * PAD) product_of<3>(x, M, y, K, width, j);
  for (; j < width; j += PAD) product_of<1>(x, M, y, K, width, j);
}
// Returns the sum of x[j] * y[j].
FORCE_INLINE double dot(const double* x, const double* y, int width) {
  d sum = {};
  for (int j = 0; j < width; j += DL) sum += load_doubles(x + j) * load_doubles(y + j);
  double total = 0;
  for (int l = 0; l < DL; l++) total += sum[l];
  return total;
}

// The tables that all sequences share.
struct Tables {
  const Crf& c;
  int K, width;
  float shift, start_shift, end_shift;  // the largest of the transitions, of `start` and of `end`
  double* E;      // [K][width] exp(transitions - shift)
  double* Et;     // [K][width] the transpose of E: Et[j][i] = E[i][j]
  double* start;  // [width] exp(start - start_shift)
  double* end;    // [width] exp(end - end_shift)
  double* impossible;  // [T][width] 1 for impossible tags and the padding, else 0; adding it excludes them from a minimum
  int stable;          // the first step after which the possible tags no longer change

  explicit Tables(const Crf& call) : c(call), K(call.K), width(padded(call.K)) {
    E = (double*)c.work, Et = E + (long)K * width, start = Et + (long)K * width, end = start + width;
    impossible = end + width;
    clear(E, 2l * K * width + 2 * width);
    shift = largest_of(c.transitions, (long)K * K), start_shift = largest_of(c.start, K), end_shift = largest_of(c.end, K);
    float* row = (float*)impossible;  // not in use yet
    for (int i = 0; i < K; i++) {
      exps(c.transitions + (long)i * K, shift, (double*)row, K);
      for (int j = 0; j < K; j++) E[(long)i * width + j] = Et[(long)j * width + i] = ((double*)row)[j];
    }
    fill(c.start, start_shift, start), fill(c.end, end_shift, end);
    find_possible_tags();
  }

  // Writes exp(x - shift); the padding is 0.
  void fill(const float* x, float shift, double* y) const {
    exps(x, shift, y, K);
    for (int j = K; j < width; j++) y[j] = 0;
  }

  const double* impossible_at(int step) const { return impossible + (long)min(step, stable) * width; }

 private:
  // Finds the tags that are possible at each step. `stable` is the first step whose tags equal those of the next step.
  void find_possible_tags() {
    const float never = -__builtin_inff();
    stable = 0;
    for (int j = 0; j < width; j++) impossible[j] = j < K && !(c.start[j] == never) ? 0 : 1;
    for (int t = 1; t < c.T; t++) {
      const double* before = impossible + (long)(t - 1) * width;
      double* now = impossible + (long)t * width;
      bool same = true;
      for (int j = 0; j < width; j++) {
        now[j] = 1;
        for (int i = 0; j < K && i < K && now[j] == 1; i++)
          if (before[i] == 0 && !(c.transitions[(long)i * K + j] == never)) now[j] = 0;
        same &= now[j] == before[j];
      }
      if (same) return;
      stable = t;
    }
  }
};

// The memory of one part of the batch (see crf_parts), and the algorithms for one sequence at a time. g is the gradient of the
// loss of the sequence.
struct BatchPart {
  const Tables& tables;
  const Crf& c;
  const int K, width;
  double* alpha;  // [T][width] a_t, or the logarithms of the unscaled sums after `log_forward`
  double* A;      // [K][width] sums of g * a_{t-1}(i) e_t(j) b_t(j) / d_{t-1}; A * E is g * the expected number of transitions
  // [K][width] the other terms of the gradient of the transitions: those of the sequences that `log_backward` computes, and
  // those of the given tags
  double* X;
  double* dStart;
  double* dEnd;
  double* buffers;  // [5][width]

  BatchPart(const Tables& t, int index) : tables(t), c(t.c), K(t.K), width(t.width) {
    alpha = (double*)c.work + table_size(c.T, K) + index * part_size(c.T, K);
    A = alpha + (long)c.T * width, X = A + (long)K * width, dStart = X + (long)K * width, dEnd = dStart + width;
    buffers = dEnd + width;
  }

  bool valid(int b, int t) const { return !c.mask || c.mask[(long)b * c.T + t] != 0; }
  const float* scores(int b, int t) const { return c.emissions + ((long)b * c.T + t) * K; }
  int tag(int b, int t) const { return (int)c.tags[(long)b * c.T + t]; }
  int steps(int b) const {
    int n = 0;
    for (int t = 0; t < c.T; t++) n += valid(b, t);
    return n;
  }

  double score(int b) const {
    double total = 0;
    int last = -1;
    for (int t = 0; t < c.T; t++) {
      if (!valid(b, t)) continue;
      const int now = tag(b, t);
      total += (last < 0 ? c.start[now] : c.transitions[(long)last * K + now]) + (double)scores(b, t)[now];
      last = now;
    }
    return last < 0 ? 0 : total + c.end[last];
  }

  // Computes alpha, and sets logZ to the logarithm of the partition function. Returns false if a possible tag is less probable
  // than min_probability; `log_forward` must then be used.
  bool forward(int b, double& logZ) {
    double* const e = buffers;
    clear(e + K, width - K);
    ScaledProduct scale;
    double shift = 0;
    d least = d{} + 1;
    int s = 0;
    for (int t = 0; t < c.T; t++) {
      if (!valid(b, t)) continue;
      double* const now = alpha + (long)s * width;
      const float most = largest_of(scores(b, t), K);
      exps(scores(b, t), most, e, K);
      const double* before = tables.start;
      if (s > 0) product(now - width, tables.E, now, K, width), before = now;
      d sum = {};
      for (int j = 0; j < width; j += DL) {
        const d x = load_doubles(before + j) * load_doubles(e + j);
        store_doubles(now + j, x), sum += x;
      }
      double total = 0;
      for (int l = 0; l < DL; l++) total += sum[l];
      if (!(total >= min_probability && total < 1e300)) return false;
      const double inverse = 1 / total;
      const double* impossible = tables.impossible_at(s);
      for (int j = 0; j < width; j += DL) {
        const d x = load_doubles(now + j) * inverse, masked = x + load_doubles(impossible + j);
        store_doubles(now + j, x), least = masked < least ? masked : least;
      }
      scale.multiply(total);
      shift += (double)most + (s > 0 ? tables.shift : tables.start_shift);
      s++;
    }
    for (int l = 0; l < DL; l++)
      if (!(least[l] >= min_probability)) return false;
    const double last = dot(alpha + (long)(s - 1) * width, tables.end, width);
    if (!(last >= min_probability)) return false;
    scale.multiply(last);
    logZ = scale.logarithm() + shift + tables.end_shift;
    return true;
  }

  // Computes the gradients of logZ for one sequence, after `forward` has returned true. `gradient` then subtracts the
  // gradients of the score of the given tags.
  void backward(int b, double g, int n, float* dE) {
    double *const e = buffers, *const beta = e + width, *const w = beta + width, *const u = w + width;
    clear(e + K, width - K);
    rescale(tables.end, n - 1, beta);
    for (int t = c.T - 1, s = n - 1; s >= 0; t--) {
      if (!valid(b, t)) continue;
      const double* const now = alpha + (long)s * width;
      for (int j = 0; j < K; j++) dE[(long)t * K + j] = (float)(g * (now[j] * beta[j]));
      if (s == n - 1) add(dEnd, now, beta, g);
      if (s == 0) return add(dStart, now, beta, g);
      const float most = largest_of(scores(b, t), K);
      exps(scores(b, t), most, e, K);
      for (int j = 0; j < width; j += DL) store_doubles(w + j, load_doubles(e + j) * load_doubles(beta + j));
      product(w, tables.Et, u, K, width);
      const double inverse = rescale(u, s - 1, beta);
      accumulate(now - width, w, g * inverse);
      s--;
    }
  }

  // Sets beta to x / d, where d makes the sum of alpha * beta over the tags of step s equal to 1. Returns 1 / d.
  double rescale(const double* x, int s, double* beta) const {
    const double inverse = 1 / dot(alpha + (long)s * width, x, width);
    const double* impossible = tables.impossible_at(s);
    for (int j = 0; j < width; j += DL)
      // 0 for impossible tags, whose product could overflow
      store_doubles(beta + j, load_doubles(impossible + j) > 0 ? d{} : load_doubles(x + j) * inverse);
    return inverse;
  }

  void add(double* sum, const double* x, const double* y, double g) const {
    for (int j = 0; j < width; j += DL) store_doubles(sum + j, load_doubles(sum + j) + g * (load_doubles(x + j) * load_doubles(y + j)));
  }

  // A(i,j) += g x(i) y(j). Also multiplies y by g.
  void accumulate(const double* x, double* y, double g) {
    for (int j = 0; j < width; j += DL) store_doubles(y + j, load_doubles(y + j) * g);
    for (int i = 0; i < K; i++) {
      double* const row = A + (long)i * width;
      const double factor = x[i];
      for (int j = 0; j < width; j += DL) store_doubles(row + j, load_doubles(row + j) + factor * load_doubles(y + j));
    }
  }

  // ------------------------------------------------------------------------------------------------ with logarithms
  // y[j] = log sum_i exp(x[i] + M(i, j)), where M are the transitions or, for `back`, their transpose.
  void log_product(const double* x, bool back, double* y) const {
    float* const f = (float*)(buffers + 4l * width);
    const float never = -__builtin_inff();
    for (int j = 0; j < K; j++) {
      const auto term = [&](int i) { return x[i] + c.transitions[back ? (long)j * K + i : (long)i * K + j]; };
      double most = never;
      for (int i = 0; i < K; i++) most = term(i) > most ? term(i) : most;
      if (most == never) most = 0;
      for (int i = 0; i < K; i++) f[i] = (float)(term(i) - most);
      y[j] = most + (double)log_of(sum_of_exps(f));
    }
  }
  float sum_of_exps(float* f) const {
    double total = 0;
    for (int i = 0; i < K; i += VL) {
      const int count = min(VL, K - i);
      store(f + i, exp(load(f + i, count)), count);
    }
    for (int i = 0; i < K; i++) total += f[i];
    return (float)total;
  }

  double log_forward(int b) {
    int s = 0;
    for (int t = 0; t < c.T; t++) {
      if (!valid(b, t)) continue;
      double* const now = alpha + (long)s * width;
      if (s > 0) log_product(now - width, false, now);
      for (int j = 0; j < K; j++) now[j] = (s > 0 ? now[j] : (double)c.start[j]) + scores(b, t)[j];
      s++;
    }
    const double* last = alpha + (long)(s - 1) * width;
    float* const f = (float*)(buffers + 4l * width);
    double most = -__builtin_inff();
    for (int j = 0; j < K; j++) most = last[j] + c.end[j] > most ? last[j] + c.end[j] : most;
    for (int j = 0; j < K; j++) f[j] = (float)(last[j] + c.end[j] - most);
    return most + (double)log_of(sum_of_exps(f));
  }

  void log_backward(int b, double g, int n, double logZ, float* dE) {
    double *const p = buffers, *const beta = p + width, *const w = beta + width;
    for (int j = 0; j < K; j++) beta[j] = c.end[j];
    for (int t = c.T - 1, s = n - 1; s >= 0; t--) {
      if (!valid(b, t)) continue;
      const double* const now = alpha + (long)s * width;
      probabilities(p, [&](int j) { return now[j] + beta[j] - logZ; });
      for (int j = 0; j < K; j++) dE[(long)t * K + j] = (float)(g * p[j]);
      for (int j = 0; j < K && s == n - 1; j++) dEnd[j] += g * p[j];
      for (int j = 0; j < K && s == 0; j++) dStart[j] += g * p[j];
      if (s-- == 0) return;
      for (int j = 0; j < K; j++) w[j] = beta[j] + scores(b, t)[j];
      for (int i = 0; i < K; i++) {
        probabilities(p, [&](int j) { return (now - width)[i] + c.transitions[(long)i * K + j] + w[j] - logZ; });
        for (int j = 0; j < K; j++) X[(long)i * width + j] += g * p[j];
      }
      log_product(w, true, beta);
    }
  }
  template <class Log>
  void probabilities(double* p, const Log& log) const {
    float* const f = (float*)(buffers + 4l * width);
    for (int j = 0; j < K; j++) f[j] = (float)log(j);
    sum_of_exps(f);
    for (int j = 0; j < K; j++) p[j] = f[j];
  }

  // ------------------------------------------------------------------------------------------------------ one sequence
  float loss(int b) {
    double logZ;
    if (steps(b) == 0) return 0;
    if (!forward(b, logZ)) logZ = log_forward(b);
    return (float)(logZ - score(b));
  }

  void gradient(int b, double g, float* dE) {
    for (long i = 0; i < (long)c.T * K; i++) dE[i] = 0;
    const int n = steps(b);
    double logZ;
    if (n == 0 || g == 0) return;
    if (forward(b, logZ))
      backward(b, g, n, dE);
    else
      log_backward(b, g, n, log_forward(b), dE);
    int last = -1;
    for (int t = 0; t < c.T; t++) {
      if (!valid(b, t)) continue;
      const int now = tag(b, t);
      dE[(long)t * K + now] -= (float)g;
      (last < 0 ? dStart[now] : X[(long)last * width + now]) -= g;
      last = now;
    }
    dEnd[last] -= g;
  }
};

double operations(const Crf& c) { return 4. * c.B * c.T * c.K * (c.K + 10); }

}  // namespace

double crf_work_size(int B, int T, int K) { return 2. * (table_size(T, K) + (double)parts_of(B) * part_size(T, K)); }

void crf_forward(const CrfForward& c) {
  if (c.B == 0) return;
  const Tables tables(c);
  const int parts = parts_of(c.B);
  over_ranges(parts, operations(c), [&](int first, int last) {
    for (int p = first; p < last; p++) {
      BatchPart part(tables, p);
      for (int b = split(c.B, parts, p); b < split(c.B, parts, p + 1); b++) c.losses[b] = part.loss(b);
    }
  });
}

void crf_backward(const CrfBackward& c) {
  const int K = c.K, parts = parts_of(c.B);
  const Tables tables(c);
  over_ranges(parts, 3 * operations(c), [&](int first, int last) {
    for (int p = first; p < last; p++) {
      BatchPart part(tables, p);
      clear(part.A, (2l * K + 2) * tables.width);
      for (int b = split(c.B, parts, p); b < split(c.B, parts, p + 1); b++)
        part.gradient(b, c.g[b], c.dEmissions + (long)b * c.T * K);
    }
  });
  for (int i = 0; i < K; i++) {
    double start = 0, end = 0;
    for (int p = 0; p < parts; p++) start += BatchPart(tables, p).dStart[i], end += BatchPart(tables, p).dEnd[i];
    c.dStart[i] = (float)start, c.dEnd[i] = (float)end;
    for (int j = 0; j < K; j++) {
      const long at = (long)i * tables.width + j;
      double total = 0;
      for (int p = 0; p < parts; p++) total += tables.E[at] * BatchPart(tables, p).A[at] + BatchPart(tables, p).X[at];
      c.dTransitions[(long)i * K + j] = (float)total;
    }
  }
}

}  // namespace unroll::UNROLL_ISA
