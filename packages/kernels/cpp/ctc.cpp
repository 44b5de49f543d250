// Connectionist temporal classification (Graves et al. 2006).
//
// An alignment of n labels is a walk through the states blank 0, label 0, blank 1, label 1, ..., blank n. At each step, the
// walk stays in its state, goes to the next one, or skips a blank between different labels; it then emits the symbol of
// its state. alpha_t(s) is the probability of all walks that are in s after step t. beta_t(s) is the probability that a
// walk in s emits the steps after t and ends in one of the last two states. The posterior of s is alpha*beta / P.
//
// Blanks and labels are two arrays, so that a step is a few operations on contiguous vectors, the same for two kinds of
// arithmetic:
//
// - Probability: doubles that are rescaled by a power of two at every step. Without exp and log per state, it is ten times
//   as fast. Underflow adds an absolute error of at most `tiny` to every state of a step, relative to the scale of the step,
//   and errors propagate linearly. Let g be a bound of the sum of the emissions of all successors of a state. Then the sum
//   of the errors of alpha grows by a factor of at most g per step, and so does the largest error of beta, because both
//   factors are sums over successors. alpha is at most 6 and beta at most 2 in their scales. So the error of the sum of
//   alpha*beta over the S states of a step is at most
//     errorA * (2 + errorB) + 6 * S * errorB,
//   and the results of a step are accepted only if this is below 2^-40 of the sum itself.
// - Logarithm: for the sequences that this check rejects, for example if the model is certain of another target.
#include "double.h"
#include "kernels_impl.h"
#include "work.h"

namespace unroll::UNROLL_ISA {
namespace {

constexpr double infinity = __builtin_inf();
constexpr double tiny = 0x1p-1000;       // exp and products err by at most 2^-1018 through underflow
constexpr double tolerance = 0x1p-40;

struct Probability {
  static constexpr bool rescales = true;
  static constexpr double zero = 0, one = 1;
  FORCE_INLINE d times(d a, d b) { return a * b; }
  FORCE_INLINE d plus(d a, d b) { return a + b; }
  FORCE_INLINE d plus(d a, d b, d c) { return a + b + c; }
};

struct Logarithm {
  static constexpr bool rescales = false;
  static constexpr double zero = -infinity, one = 0;
  FORCE_INLINE d times(d a, d b) { return a + b; }
  FORCE_INLINE d plus(d a, d b) { return plus(a, b, all(zero)); }
  FORCE_INLINE d plus(d a, d b, d c) {
    const d largest = larger_of(larger_of(a, b), c);
    const d top = select(largest == all(zero), d{}, largest);  // -inf minus -inf would be NaN
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
  int64_t* follows;      // [N + DL] all ones: label i may follow label i-1 without a blank
  double* alpha;         // [T] rows
  double* beta;          // one row
  double* emitted;       // one row: beta times the emissions
  double* labelY;        // [T][N] the emissions of the labels, 0 from n on
  double* blankY;        // [T] the emission of the blank
  double* successors;    // [T] the bound g
  double* errors;        // [T] the bound of the errors of alpha
  int32_t* labels;       // [n]

  // The doubles that sequences of these sizes need.
  static double size(int T, int C, int L) {
    const double N = round_up(L + 1), R = 2 * N + 2 * DL;
    return round_up(C) + 2 * N + DL + (T + 2) * R + T * (N + 3) + DL;
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
    successors = memory, memory += T;
    errors = memory, memory += T;
    labels = (int32_t*)memory;
    const float* target = c.targets + (long)b * c.L;
    for (long i = 0; i < N + DL; i++) follows[i] = i > 0 && i < n && target[i] != target[i - 1] ? -1 : 0;
    for (int i = 0; i < n; i++) labels[i] = (int32_t)target[i];
  }

  void clear(double* states, double zero) const {
    for (long i = -DL; i < 2 * N + DL; i += DL) store(states + i, all(zero));
  }

  // Computes the emissions of all steps and, if requested, stores their probabilities in dx.
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
      Numbers::rescales ? probabilities(t, 1 / sum) : logarithms(t, log(all(sum))[0]);
    }
  }

  void probabilities(int t, double scale) {
    if (dx)
      for (long k = 0, to = (long)t * C; k < C; k++) dx[to + k] = (float)(row[k] * scale);
    double* y = labelY + t * N;
    blankY[t] = row[blank] * scale;
    for (int i = 0; i < n; i++) y[i] = row[labels[i]] * scale;
    for (long i = n; i < N; i++) y[i] = 0;
    d tops = {};
    for (long i = 0; i < N; i += DL) tops = larger_of(load(y + i), tops);
    const double bound = blankY[t] + 2 * largest_lane(tops);
    successors[t] = bound < 1 ? bound : 1;
  }

  void logarithms(int t, double logSum) {
    double* y = labelY + t * N;
    blankY[t] = row[blank] - logSum;
    for (int i = 0; i < n; i++) y[i] = row[labels[i]] - logSum;
    for (long i = n; i < N; i++) y[i] = -infinity;
  }

  // Returns the power of two that brings x into [1, 2); 0 if x is too small (also 0) or not finite.
  static double scale_for(double x) {
    const int64_t exponent = __builtin_bit_cast(int64_t, x) >> 52;
    return exponent > 100 && exponent < 2000 ? __builtin_bit_cast(double, (2046 - exponent) << 52) : 0;
  }
  static int exponent_of(double power) { return (int)(__builtin_bit_cast(int64_t, power) >> 52) - 1023; }

  // Computes alpha. Returns -log P; NaN if the error may be too large.
  template <class Numbers>
  double forward() {
    if (T == 0) return n == 0 ? 0 : infinity;
    clear(alpha, Numbers::zero);
    if (n > 0) alpha[0] = labelY[0];
    alpha[N] = blankY[0];
    double largest = alpha[0] > alpha[N] ? alpha[0] : alpha[N];
    double error = errors[0] = (2 * n + 1) * tiny;
    long shift = 0;
    for (int t = 1; t < T; t++) {
      double scale = Numbers::one;
      if (Numbers::rescales) {
        if ((scale = scale_for(largest)) == 0) return __builtin_nan("");
        shift += exponent_of(scale);
        error = errors[t] = error * successors[t] * scale + (2 * n + 1) * tiny;
      }
      largest = step_forward<Numbers>(t, all(scale));
    }
    const double* last = alpha + (T - 1) * R;
    const double p = Numbers::plus(all(last[N + n]), all(n > 0 ? last[n - 1] : Numbers::zero))[0];
    if (!Numbers::rescales) return -p;
    return 2 * error <= tolerance * p ? shift * 0.693147180559945309417 - log(all(p))[0] : __builtin_nan("");
  }

  // Computes alpha of step t, and returns its largest value.
  template <class Numbers>
  double step_forward(int t, d scale) {
    const double* from = alpha + (t - 1) * R;
    double* to = alpha + t * R;
    store(to - DL, all(Numbers::zero));
    const d blanks = Numbers::times(all(blankY[t]), scale);
    d largest = all(Numbers::zero);
    for (long i = 0; i < N; i += DL) {
      const d label = load(from + i), previous = load(from + i - 1), blank = load(from + N + i);
      const d skipping = select(load(follows + i), previous, all(Numbers::zero));
      const d y = Numbers::times(load(labelY + t * N + i), scale);
      const d newLabel = Numbers::times(y, Numbers::plus(label, blank, skipping));
      const d newBlank = Numbers::times(blanks, Numbers::plus(blank, previous));
      store(to + i, newLabel);
      store(to + N + i, newBlank);
      largest = larger_of(larger_of(newLabel, newBlank), largest);
    }
    return Numbers::rescales ? largest_lane(largest) : 0;
  }

  // Computes beta, and subtracts the posteriors from dx. Returns false if the error may be too large.
  template <class Numbers>
  bool backward(double logP) {
    clear(beta, Numbers::zero);
    clear(emitted, Numbers::zero);
    if (n > 0) beta[n - 1] = Numbers::one;
    beta[N + n] = Numbers::one;
    double error = 0;
    for (int t = T - 1; t >= 0; t--) {
      double total = -logP;
      if (Numbers::rescales) {
        total = sum_of_products(t);
        if (!(errors[t] * (2 + error) + 6 * (2 * n + 1) * error <= tolerance * total)) return false;
      }
      subtract_posteriors<Numbers>(t, total);
      if (t == 0) break;
      double scale = Numbers::one;
      if (Numbers::rescales) {
        if ((scale = scale_for(largest_state())) == 0) return false;
        error = (error * successors[t] + tiny) * scale;
      }
      step_back<Numbers>(t, all(scale));
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
    const d factor = all(1 / total);
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

  // Replaces beta of step t by that of step t-1.
  template <class Numbers>
  void step_back(int t, d scale) {
    const d blanks = Numbers::times(all(blankY[t]), scale);
    for (long i = 0; i < N; i += DL) {
      store(emitted + i, Numbers::times(Numbers::times(load(labelY + t * N + i), scale), load(beta + i)));
      store(emitted + N + i, Numbers::times(blanks, load(beta + N + i)));
    }
    for (long i = 0; i < N; i += DL) {
      const d label = load(emitted + i), blank = load(emitted + N + i), nextBlank = load(emitted + N + i + 1);
      const d skipping = select(load(follows + i + 1), load(emitted + i + 1), all(Numbers::zero));
      store(beta + i, Numbers::plus(label, nextBlank, skipping));
      store(beta + N + i, Numbers::plus(blank, label));
    }
  }
};

void run(const Ctc& c, int b, double* memory) {
  Sequence s(c, b, memory);
  s.compute_emissions<Probability>();
  double loss = s.forward<Probability>();
  bool accepted = loss == loss && (!s.dx || loss == infinity || s.backward<Probability>(0));
  if (!accepted) {
    if (s.dx) s.compute_emissions<Probability>();  // backward has subtracted the posteriors of some steps
    s.compute_emissions<Logarithm>();
    const double logLoss = s.forward<Logarithm>();
    if (loss != loss) loss = logLoss;
    if (s.dx && loss < infinity) s.backward<Logarithm>(logLoss);
  }
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
  const int parts = max(1, min(c.slots, worthwhile_threads(10.0 * c.B * c.T * (c.C + 4. * c.L))));
  const auto part = [&](int i) {
    for (int b = split(c.B, parts, i); b < split(c.B, parts, i + 1); b++) run(c, b, (double*)(c.work + i * stride));
  };
  parts > 1 ? parallel(parts, part) : part(0);
}

}  // namespace unroll::UNROLL_ISA
