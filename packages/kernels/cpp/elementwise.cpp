// Elementwise kernels: fill, unary, binary with broadcasting, accumulate and softmax.
#include "functions.h"
#include "shape.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

void fill(float* y, int n, float value) {
  const v x = splat(value);
  int i = 0;
  for (; i + VL <= n; i += VL) store(y + i, x);
  if (i < n) store(y + i, x, n - i);
}

void accumulate(float* y, const float* x, int n, float scale) {
  const v s = splat(scale);
  int i = 0;
  for (; i + VL <= n; i += VL) store(y + i, madd(s, load(x + i), load(y + i)));
  if (i < n) store(y + i, madd(s, load(x + i, n - i), load(y + i, n - i)), n - i);
}

// -------------------------------------------------------------------------------------------------------------- unary
namespace {

template <int op>
ALWAYS v apply(v x) {
  switch (op) {
    case u_neg: return -x;
    case u_abs: return magnitude(x);
    case u_sign: return select(x > splat(0), splat(1), select(x < splat(0), splat(-1), x));
    case u_square: return x * x;
    case u_sqrt: return root(x);
    case u_reciprocal: return 1.f / x;
    case u_exp: return exp(x);
    case u_log: return log(x);
    case u_tanh: return tanh(x);
    case u_sigmoid: return sigmoid(x);
    case u_hard_sigmoid: return hard_sigmoid(x);
    case u_relu: return relu(x);
    case u_softplus: return softplus(x);
    case u_floor: return floor(x);
    case u_log1p: return log1p(x);
    case u_erf: return erf(x);
    default: return select(magnitude(x) < splat(__builtin_inff()), splat(1), splat(0));  // u_is_finite
  }
}

template <int op>
void unary_loop(const float* x, float* y, int n) {
  int i = 0;
  for (; i + VL <= n; i += VL) store(y + i, apply<op>(load(x + i)));
  if (i == n) return;
  v rest = load(x + i, n - i);
  unary_loop<op>((float*)&rest, (float*)&rest, VL);
  store(y + i, rest, n - i);
}

typedef void (*UnaryLoop)(const float*, float*, int);
template <int op = 0>
UnaryLoop unary_loop_of(int wanted) {
  if (op == wanted) return unary_loop<op>;
  if constexpr (op < u_is_finite)
    return unary_loop_of<op + 1>(wanted);
  else
    return unary_loop<op>;
}

}  // namespace

void unary(int op, const float* x, float* y, int n) {
  const UnaryLoop loop = unary_loop_of(op);
  over_ranges(n, 20.0 * n, [&](int first, int last) { loop(x + first, y + first, last - first); });
}

// ------------------------------------------------------------------------------------------------------------- binary
namespace {

// Special cases as in IEEE 754; within 1 ULP, in double precision: 2^(b * log2 a).
__attribute__((noinline)) float power(float a, float b) {
  const float infinity = __builtin_inff();
  if (b == 0 || a == 1) return 1;
  if (a != a || b != b) return a + b;
  const float size = a < 0 ? -a : a, bSize = b < 0 ? -b : b;
  const bool whole = bSize >= 8388608.f || (float)(int32_t)b == b;
  const bool odd = whole && bSize < 16777216.f && ((int32_t)b & 1);
  const bool negative = __builtin_signbit(a) && odd;
  if (a < 0 && !whole && size < infinity && bSize < infinity) return __builtin_nanf("");
  double r;
  if (size == 1) {
    r = 1;
  } else if (bSize == infinity || size == 0 || size == infinity) {
    r = (size > 1) == (b > 0) ? infinity : 0;
  } else {
    const double d = size;  // d = m * 2^e with m in [sqrt 1/2, sqrt 2); log2 m = 2/ln2 * atanh((m-1)/(m+1))
    const int64_t bits = __builtin_bit_cast(int64_t, d), e = (bits - 0x3fe6a09e667f3bcd) >> 52;
    const double m = __builtin_bit_cast(double, bits - (e << 52)), s = (m - 1) / (m + 1), q = s * s;
    const double series = 1 + q * (1. / 3 + q * (1. / 5 + q * (1. / 7 + q * (1. / 9 + q * (1. / 11 + q * (1. / 13))))));
    double z = b * (e + 2.885390081777926815 * s * series);
    z = z > 200 ? 200 : z < -200 ? -200 : z;
    const int n = (int)(z < 0 ? z - 0.5 : z + 0.5);
    const double f = (z - n) * 0.693147180559945309;
    const double p = 1 + f * (1 + f * (1. / 2 + f * (1. / 6 + f * (1. / 24 + f * (1. / 120 + f * (1. / 720 + f * (1. / 5040 + f / 40320)))))));
    r = p * __builtin_bit_cast(double, (int64_t)(1023 + n) << 52);
  }
  return (float)(negative ? -r : r);
}

ALWAYS v power(v a, v b) {
  for (int i = 0; i < VL; i++) a[i] = power(a[i], b[i]);
  return a;
}

ALWAYS v flag(vi mask) { return select(mask, splat(1), splat(0)); }

template <int op>
ALWAYS v apply(v a, v b) {
  switch (op) {
    case b_add: return a + b;
    case b_sub: return a - b;
    case b_mul: return a * b;
    case b_div: return a / b;
    case b_max: return select((a > b) | (a != a), a, b);  // a NaN on either side comes out
    case b_min: return select((a < b) | (a != a), a, b);
    case b_pow: return power(a, b);
    case b_eq: return flag(a == b);
    case b_gt: return flag(a > b);
    case b_ge: return flag(a >= b);
    case b_tanh_grad: return slope(a_tanh, a) * b;
    case b_sigmoid_grad: return slope(a_sigmoid, a) * b;
    case b_hard_sigmoid_grad: return slope(a_hard_sigmoid, a) * b;
    default: return slope(a_relu, a) * b;  // b_relu_grad
  }
}

// n elements that lie `stride` apart.
SELDOM v read(const float* p, long stride, int n) {
  v r = {};
  for (int j = 0; j < n; j++) r[j] = p[j * stride];
  return r;
}

// y[i] = op(a[i*aStride], b[i*bStride]). The end of a row, and a row with gaps, go through the first loop as whole
// vectors of their own.
template <int op>
void binary_row(const float* a, long aStride, const float* b, long bStride, float* y, int n) {
  int i = 0;
  if (aStride == 1 && bStride == 1)
    for (; i + VL <= n; i += VL) store(y + i, apply<op>(load(a + i), load(b + i)));
  else if (aStride == 1 && bStride == 0)
    for (const v all = splat(*b); i + VL <= n; i += VL) store(y + i, apply<op>(load(a + i), all));
  else if (aStride == 0 && bStride == 1)
    for (const v all = splat(*a); i + VL <= n; i += VL) store(y + i, apply<op>(all, load(b + i)));
  for (; i < n; i += VL) {
    const int few = smaller(n - i, VL);
    const v p = read(a + i * aStride, aStride, few), q = read(b + i * bStride, bStride, few);
    v r;
    binary_row<op>((const float*)&p, 1, (const float*)&q, 1, (float*)&r, VL);
    store(y + i, r, few);
  }
}

typedef void (*BinaryRow)(const float*, long, const float*, long, float*, int);
template <int op = 0>
BinaryRow binary_row_of(int wanted) {
  if (op == wanted) return binary_row<op>;
  if constexpr (op < b_relu_grad)
    return binary_row_of<op + 1>(wanted);
  else
    return binary_row<op>;
}

}  // namespace

void binary(int op, const float* a, const float* b, float* y, int rank, const int32_t* dims) {
  const BinaryRow row = binary_row_of(op);
  Shape s(rank, dims);
  if (s.empty()) return;
  s.merge();
  const int n = s.size[s.rank - 1];
  const long aStride = s.x[s.rank - 1], bStride = s.y[s.rank - 1];
  s.rank--;
  s.each([&](long atA, long atB) { row(a + atA, aStride, b + atB, bStride, y, n), y += n; });
}

// ------------------------------------------------------------------------------------------------------------- softmax
void softmax(const float* x, float* y, int rows, int n, int log) {
  for (long r = 0; r < rows; r++, x += n, y += n) {
    v most = splat(-__builtin_inff()), sum = splat(0);
    for (int i = 0; i < n; i += VL) {
      const int few = smaller(n - i, VL);
      const v t = select(lanes() < few, load(x + i, few), splat(-__builtin_inff()));
      most = apply<b_max>(most, t);
    }
    const float top = over_lanes(most, [](v a, v b) __attribute__((always_inline)) { return apply<b_max>(a, b); });
    for (int i = 0; i < n; i += VL) {
      const int few = smaller(n - i, VL);
      const v t = load(x + i, few) - top, e = exp(t);
      store(y + i, log ? t : e, few);
      sum += select(lanes() < few, e, splat(0));
    }
    const v total = splat(sum_lanes(sum)), shift = unroll::UNROLL_ISA::log(total), scale = 1.f / total;
    for (int i = 0; i < n; i += VL) {
      const int few = smaller(n - i, VL);
      const v t = load(y + i, few);
      store(y + i, log ? t - shift : t * scale, few);
    }
  }
}

}  // namespace unroll::UNROLL_ISA
