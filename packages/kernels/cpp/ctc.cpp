// Connectionist temporal classification (Graves et al. 2006).
//
// An alignment of n labels is a walk through the states blank 0, label 0, blank 1, label 1, ..., blank n. At each step,
// the walk stays in its state, goes to the next one, or skips a blank between different labels; it then emits the symbol
// of its state. alpha_t(s) is the probability of all walks that are in s after step t. beta_t(s) is the probability that
// a walk in s emits the symbols of the steps after t and ends in one of the last two states. The posterior of s is
// alpha*beta / P.
//
// Blanks and labels are two arrays, so that a step is a few operations on contiguous vectors. There are two kinds of
// arithmetic:
//
// - Probability: doubles that are rescaled by a power of two at every step. It needs no exp and log per state, so it is ten
//   times as fast as Logarithm.
// - Logarithm: for sequences whose probabilities do not pass the check below, for example if the model is certain of another
//   target.
//
// In Probability, alpha and beta underflow if the walks in the most probable states of a step cannot end in time, or end
// too early. For a model that is not yet trained, all walks are about equally probable, and in long sequences few of them
// move at the right pace. A tilt prevents this underflow: every transition is multiplied by u per state that it moves
// forward, which multiplies all walks of a target by the same u^(2n).
//
// A sequence is computed up to three times, until one attempt passes the check below (see loss_of). The first attempt uses
// u = 1. The second uses the u with which walks would move 2n states in T steps on average, if every step had the average
// emissions. The third uses Logarithm.
//
// The check: every step adds `tiny`, relative to its scale, to alpha and beta of every state. This is more than what
// underflow can lose, so alpha and beta are upper bounds, apart from rounding, and the sum of alpha*beta over the
// states of a step is at least P. Adding x to alpha of a state at step t raises the sum of any step by at most x times
// beta of this state at step t; adding x to beta raises it by at most x times alpha. With w = 1 + u + u^2,
// alpha and beta are at most 2w in their scales, so the contribution of a step with S states is at most tiny * 4wS (the
// check allows twice that, because of rounding). If at every one of T steps this is below 2^-40 / T of the sum of the
// step, then all contributions together are below 2^-40 of P, as is the error of every sum.
#include "double.h"
#include "kernels_impl.h"
#include "work.h"

namespace unroll::UNROLL_ISA {
namespace {

constexpr double infinity = __builtin_inf();
constexpr double tiny = 0x1p-1000;  // underflow loses at most 2^-1020 * 2w of a state, and u is at most 64
constexpr double tolerance = 0x1p-40;

struct Probability {
  static constexpr bool rescales = true;
  static constexpr double zero = 0, one = 1;
  FORCE_INLINE d times(d a, d b) { return a * b; }
  FORCE_INLINE d tilted(d a, double u) { return a * u; }
  FORCE_INLINE d raised(d a, d least) { return a + least; }
  FORCE_INLINE d plus(d a, d b) { return a + b; }
  FORCE_INLINE d plus(d a, d b, d c) { return a + b + c; }
};

struct Logarithm {
  static constexpr bool rescales = false;
  static constexpr double zero = -infinity, one = 0;
  FORCE_INLINE d times(d a, d b) { return a + b; }
  FORCE_INLINE d tilted(d a, double) { return a; }
  FORCE_INLINE d raised(d a, d) { return a; }
  FORCE_INLINE d plus(d a, d b) { return plus(a, b, splat(zero)); }
  FORCE_INLINE d plus(d a, d b, d c) {
    const d largest = larger_of(larger_of(a, b), c);
    const d top = select(largest == splat(zero), d{}, largest);  // -inf minus -inf would be NaN
    return top + log(exp(a - top) + exp(b - top) + exp(c - top));
  }
};

constexpr long round_up(long n) { return (n + DL - 1) / DL * DL; }

// One sequence and its working memory. A row of states is [N labels][N blanks], with one vector of zeros before and after it.
struct Sequence {
  const float* x;  // [T][C]
  float* dx;       // [T][C] | null
  int T, C, n, blank;
  long N, R;             // the padded number of labels, at least n + 1; the doubles of a row
  double* row;           // [C, padded] one step of exp(x)
  int64_t* follows;      // [N + DL] -1 (a lane mask) if label i may follow label i-1 without a blank between them, else 0
  double* alpha;         // [T] rows
  double* beta;          // one row
  double* emitted;       // one row: beta times the emissions
  double* labelY;        // [T][N] the emissions of the labels, 0 from n on
  double* blankY;        // [T] the emission of the blank
  double* least;         // [2N] the numbers added to the states in each step: `tiny`, and 0 for the padding
  int32_t* labels;       // [n]
  double u = 1, w = 3;   // the tilt and 1 + u + u^2

  // Returns the number of doubles that sequences of these sizes need.
  static double size(int T, int C, int L) {
    const double N = round_up(L + 1), R = 2 * N + 2 * DL;
    return round_up(C) + 4 * N + DL + (T + 2) * R + T * (N + 1);
  }

  Sequence(const Ctc& c, int b, double* memory)
      : x(c.x + (long)b * c.T * c.C), dx(c.dx ? c.dx + (long)b * c.T * c.C : nullptr), T((int)c.lengths[b]), C(c.C),
        n((int)c.target_lengths[b]), blank(c.blank), N(round_up(n + 1)), R(2 * N + 2 * DL) {
    row = memory, memory += round_up(C);
    follows = (int64_t*)memory, memory += N + DL;
    alpha = memory + DL, memory += T * R;
    beta = memory + DL, memory += R;
    emitted = memory + DL, memory += R;
    labelY = memory, memory += T * N;
    blankY = memory, memory += T;
    least = memory, memory += 2 * N;
    labels = (int32_t*)memory;
    const float* target = c.targets + (long)b * c.L;
    for (long i = 0; i < N + DL; i++) follows[i] = i > 0 && i < n && target[i] != target[i - 1] ? -1 : 0;
    for (int i = 0; i < n; i++) labels[i] = (int32_t)target[i];
    for (long i = 0; i < N; i++) least[i] = i < n ? tiny : 0, least[N + i] = i <= n ? tiny : 0;
  }

  void clear(double* states, double zero) const {
    for (long i = -DL; i < 2 * N + DL; i += DL) store(states + i, splat(zero));
  }

  // Computes the emissions of all steps. Probability also writes them to dx, unless that is null.
  template <class Numbers>
  void compute_emissions() {
    for (int t = 0; t < T; t++) {
      const long end = round_up(C);
      const float* from = x + (long)t * C;
      for (int k = 0; k < C; k++) row[k] = from[k];
      for (long k = C; k < end; k++) row[k] = -infinity;
      d tops = load(row);
      for (long k = DL; k < end; k += DL) tops = larger_of(tops, load(row + k));
      const double top = largest_lane(tops);
      d sums = {};
      for (long k = 0; k < end; k += DL) {
        const d shifted = load(row + k) - top, e = exp(shifted);
        store(row + k, Numbers::rescales ? e : shifted);
        sums += e;
      }
      const double sum = sum_lanes(sums);
      Numbers::rescales ? probabilities(t, 1 / sum) : logarithms(t, log(splat(sum))[0]);
    }
  }

  void probabilities(int t, double scale) {
    if (dx)
      for (long k = 0, to = (long)t * C; k < C; k++) dx[to + k] = (float)(row[k] * scale);
    double* y = labelY + t * N;
    blankY[t] = row[blank] * scale;
    for (int i = 0; i < n; i++) y[i] = row[labels[i]] * scale;
    for (long i = n; i < N; i++) y[i] = 0;
  }

  void logarithms(int t, double logSum) {
    double* y = labelY + t * N;
    blankY[t] = row[blank] - logSum;
    for (int i = 0; i < n; i++) y[i] = row[labels[i]] - logSum;
    for (long i = n; i < N; i++) y[i] = -infinity;
  }

  // Returns the power of two that brings x into [1, 2); 0 if x is 0, too small, too large or not finite.
  static double scale_for(double x) {
    const int64_t exponent = __builtin_bit_cast(int64_t, x) >> 52;
    return exponent > 100 && exponent < 2000 ? __builtin_bit_cast(double, (2046 - exponent) << 52) : 0;
  }
  static int exponent_of(double power) { return (int)(__builtin_bit_cast(int64_t, power) >> 52) - 1023; }

  // Sets the tilt. With the average emissions p of a blank and q of a label, the total weight of the walks grows at each step
  // by the factor k, the larger root of k^2 - (p + q + q*u^2)*k + p*q = 0. The derivative of log k with respect to log u is the
  // average pace of the walks.
  void tilt() {
    double p = 0, q = 0;
    for (int t = 0; t < T; t++) {
      p += blankY[t];
      for (int i = 0; i < n; i++) q += labelY[t * N + i] / n;
    }
    double low = 1. / 64, high = 64;
    for (int i = 0; i < 30; i++) {
      u = __builtin_sqrt(low * high);
      const double sum = p + q + q * u * u, pace = 2 * q * u * u / __builtin_sqrt(sum * sum - 4 * p * q);
      (pace < 2. * n / T ? low : high) = u;
    }
    w = 1 + u + u * u;
  }

  // Computes alpha. Returns -log P; NaN if alpha is too small.
  template <class Numbers>
  double forward() {
    if (T == 0) return n == 0 ? 0 : infinity;
    clear(alpha, Numbers::zero);
    if (n > 0) alpha[0] = Numbers::tilted(splat(labelY[0]), u)[0];
    alpha[N] = blankY[0];
    if (Numbers::rescales)
      for (long i = 0; i < 2 * N; i++) alpha[i] += least[i];
    double largest = n > 0 && alpha[0] > alpha[N] ? alpha[0] : alpha[N];
    long shift = 0;
    for (int t = 1; t < T; t++) {
      double scale = Numbers::one;
      if (Numbers::rescales) {
        if ((scale = scale_for(largest)) == 0) return __builtin_nan("");
        shift += exponent_of(scale);
      }
      largest = step_forward<Numbers>(t, splat(scale));
    }
    const double* last = alpha + (T - 1) * R;
    const double p = Numbers::plus(splat(last[N + n]), Numbers::tilted(splat(n > 0 ? last[n - 1] : Numbers::zero), u))[0];
    return Numbers::rescales ? shift * 0.693147180559945309417 + 2 * n * log(splat(u))[0] - log(splat(p))[0] : -p;
  }

  // Computes alpha of step t, and returns its largest value.
  template <class Numbers>
  double step_forward(int t, d scale) {
    const double* from = alpha + (t - 1) * R;
    double* to = alpha + t * R;
    store(to - DL, splat(Numbers::zero));
    const d blanks = Numbers::times(splat(blankY[t]), scale);
    d largest = splat(Numbers::zero);
    for (long i = 0; i < N; i += DL) {
      const d label = load(from + i), previous = load(from + i - 1), blank = load(from + N + i);
      const d skipping = select(load(follows + i), previous, splat(Numbers::zero));
      const d y = Numbers::times(load(labelY + t * N + i), scale);
      const d next = Numbers::tilted(blank, u), overNext = Numbers::tilted(skipping, u * u);
      const d newLabel = Numbers::times(y, Numbers::plus(label, next, overNext));
      const d newBlank = Numbers::times(blanks, Numbers::plus(blank, Numbers::tilted(previous, u)));
      store(to + i, Numbers::raised(newLabel, load(least + i)));
      store(to + N + i, Numbers::raised(newBlank, load(least + N + i)));
      largest = larger_of(larger_of(newLabel, newBlank), largest);
    }
    return Numbers::rescales ? largest_lane(largest) : 0;
  }

  // Computes beta, and subtracts the posteriors from dx. Returns false if the error may be too large.
  template <class Numbers>
  bool backward(double logP) {
    clear(beta, Numbers::zero);
    clear(emitted, Numbers::zero);
    if (n > 0) beta[n - 1] = Numbers::tilted(splat(Numbers::one), u)[0];
    beta[N + n] = Numbers::one;
    const double enough = tiny * 8 * w * (2 * n + 1) * T / tolerance;
    for (int t = T - 1; t >= 0; t--) {
      double total = -logP, scale = Numbers::one;
      if (Numbers::rescales && !((total = sum_of_products(t)) >= enough)) return false;
      if (dx) subtract_posteriors<Numbers>(t, total);
      if (t == 0) break;
      if (Numbers::rescales && (scale = scale_for(largest_state())) == 0) return false;
      step_back<Numbers>(t, splat(scale));
    }
    return true;
  }

  double sum_of_products(int t) const {
    const double* a = alpha + t * R;
    d sums = {};
    for (long i = 0; i < 2 * N; i += DL) sums += load(a + i) * load(beta + i);
    return sum_lanes(sums);
  }

  double largest_state() const {
    d largest = {};
    for (long i = 0; i < 2 * N; i += DL) largest = larger_of(load(beta + i), largest);
    return largest_lane(largest);
  }

  // dx_t -= posteriors of step t. total: the sum of alpha*beta over all states.
  template <class Numbers>
  void subtract_posteriors(int t, double total) {
    const double* a = alpha + t * R;
    float* to = dx + (long)t * C;
    const d factor = splat(1 / total);
    auto posterior = [&](long i) __attribute__((always_inline)) {
      const d product = Numbers::times(load(a + i), load(beta + i));
      return Numbers::rescales ? product * factor : exp(product - total);
    };
    d blanks = {};
    for (long i = 0; i < N; i += DL) {
      blanks += posterior(N + i);
      store(emitted + i, posterior(i));
    }
    to[blank] -= (float)sum_lanes(blanks);
    for (int i = 0; i < n; i++) to[labels[i]] -= (float)emitted[i];
  }

  // Replaces beta of step t with beta of step t-1.
  template <class Numbers>
  void step_back(int t, d scale) {
    const d blanks = Numbers::times(splat(blankY[t]), scale);
    for (long i = 0; i < N; i += DL) {
      store(emitted + i, Numbers::times(Numbers::times(load(labelY + t * N + i), scale), load(beta + i)));
      store(emitted + N + i, Numbers::times(blanks, load(beta + N + i)));
    }
    for (long i = 0; i < N; i += DL) {
      const d label = load(emitted + i), blank = load(emitted + N + i), nextBlank = load(emitted + N + i + 1);
      const d skipping = select(load(follows + i + 1), load(emitted + i + 1), splat(Numbers::zero));
      const d newLabel = Numbers::plus(label, Numbers::tilted(nextBlank, u), Numbers::tilted(skipping, u * u));
      const d newBlank = Numbers::plus(blank, Numbers::tilted(label, u));
      store(beta + i, Numbers::raised(newLabel, load(least + i)));
      store(beta + N + i, Numbers::raised(newBlank, load(least + N + i)));
    }
  }
};

// Returns the loss, and computes its gradient if it is finite.
double loss_of(Sequence& s) {
  for (int attempt = 0; attempt < 2; attempt++) {
    if (attempt == 0 || s.dx) s.compute_emissions<Probability>();  // backward changes dx even if it fails
    if (attempt == 1) s.tilt();
    const double loss = s.forward<Probability>();
    if (loss == loss && s.backward<Probability>(0)) return loss;
  }
  if (s.dx) s.compute_emissions<Probability>();
  s.compute_emissions<Logarithm>();
  const double loss = s.forward<Logarithm>();
  if (s.dx && loss < infinity) s.backward<Logarithm>(loss);
  return loss;
}

void run(const Ctc& c, int b, double* memory) {
  Sequence s(c, b, memory);
  const double loss = loss_of(s);
  c.losses[b] = loss == infinity && c.zero_infinity ? 0 : (float)loss;
  if (!s.dx) return;
  const long used = (long)s.T * s.C, all = (long)c.T * s.C;
  if (!(loss < infinity)) fill(s.dx, used, loss == infinity ? 0 : __builtin_nanf(""));
  fill(s.dx + used, all - used, 0);
}

}  // namespace

double ctc_work_size(int T, int C, int L) {
  const double doubles = Sequence::size(T, C, L);
  return 2 * (doubles + 8 - (int64_t)doubles % 8);
}

void ctc(const Ctc& c) {
  const long stride = (long)ctc_work_size(c.T, c.C, c.L);
  const int parts = max(1, min(c.slots, worthwhile_threads(100.0 * c.B * c.T * (c.C + 4. * c.L))));
  const auto part = [&](int i) {
    for (int b = split(c.B, parts, i); b < split(c.B, parts, i + 1); b++) run(c, b, (double*)(c.work + i * stride));
  };
  parts > 1 ? parallel(parts, part) : part(0);
}

}  // namespace unroll::UNROLL_ISA
