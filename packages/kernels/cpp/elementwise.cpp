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
FORCE_INLINE v apply(v x) {
  switch (op) {
    case u_neg: return -x;
    case u_abs: return magnitude(x);
    case u_sign: return select(x > splat(0), splat(1), select(x < splat(0), splat(-1), x));
    case u_square: return x * x;
    case u_sqrt: return sqrt(x);
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

// n must be a multiple of VL.
template <int op>
void unary_loop(const float* x, float* y, int n) {
  for (int i = 0; i < n; i += VL) store(y + i, apply<op>(load(x + i)));
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
  over_ranges(n, 20.0 * n, [&](int first, int last) {
    const int tail = (last - first) % VL, end = last - tail;
    loop(x + first, y + first, end - first);
    if (!tail) return;
    v padded = load(x + end, tail);
    loop((float*)&padded, (float*)&padded, VL);
    store(y + end, padded, tail);
  });
}

// ------------------------------------------------------------------------------------------------------------- binary
namespace {

// Returns a^b with an error of at most 1 ULP, and the special cases of IEEE 754. Computed as 2^(b * log2 a) in double
// precision.
__attribute__((noinline)) float power(float a, float b) {
  const float infinity = __builtin_inff();
  if (b == 0 || a == 1) return 1;
  if (a != a || b != b) return a + b;
  const float absA = a < 0 ? -a : a, absB = b < 0 ? -b : b;
  const bool whole = absB >= 8388608.f || (float)(int32_t)b == b;
  const bool odd = whole && absB < 16777216.f && ((int32_t)b & 1);
  const bool negative = __builtin_signbit(a) && odd;
  if (a < 0 && !whole && absA < infinity && absB < infinity) return __builtin_nanf("");
  double r;
  if (absA == 1) {
    r = 1;
  } else if (absB == infinity || absA == 0 || absA == infinity) {
    r = (absA > 1) == (b > 0) ? infinity : 0;
  } else {
    const double d = absA;  // d = m * 2^e with m in [sqrt 1/2, sqrt 2); log2 m = 2/ln2 * atanh((m-1)/(m+1))
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

FORCE_INLINE v power(v a, v b) {
  for (int i = 0; i < VL; i++) a[i] = power(a[i], b[i]);
  return a;
}

FORCE_INLINE v flag(vi mask) { return select(mask, splat(1), splat(0)); }

template <int op>
FORCE_INLINE v apply(v a, v b) {
  switch (op) {
    case b_add: return a + b;
    case b_sub: return a - b;
    case b_mul: return a * b;
    case b_div: return a / b;
    case b_max: return select((a > b) | (a != a), a, b);  // NaN if either is NaN
    case b_min: return select((a < b) | (a != a), a, b);
    case b_pow: return power(a, b);
    case b_eq: return flag(a == b);
    case b_gt: return flag(a > b);
    case b_ge: return flag(a >= b);
    case b_tanh_grad: return derivative(a_tanh, a) * b;
    case b_sigmoid_grad: return derivative(a_sigmoid, a) * b;
    case b_hard_sigmoid_grad: return derivative(a_hard_sigmoid, a) * b;
    default: return derivative(a_relu, a) * b;  // b_relu_grad
  }
}

// n must be a multiple of VL. aStep and bStep (VL or 0): how many floats a and b advance per vector.
template <int op>
void binary_loop(const float* a, int aStep, const float* b, int bStep, float* y, int n) {
  for (; n > 0; n -= VL, a += aStep, b += bStep, y += VL) store(y, apply<op>(load(a), load(b)));
}

typedef void (*BinaryLoop)(const float*, int, const float*, int, float*, int);
template <int op = 0>
BinaryLoop binary_loop_of(int wanted) {
  if (op == wanted) return binary_loop<op>;
  if constexpr (op < b_relu_grad)
    return binary_loop_of<op + 1>(wanted);
  else
    return binary_loop<op>;
}

// Returns n elements that are `stride` apart.
NOINLINE v read(const float* p, long stride, int n) {
  v r = {};
  for (int j = 0; j < n; j++) r[j] = p[j * stride];
  return r;
}

// y[i] = op(a[i*aStride], b[i*bStride]). The last elements of a row, and all elements of a row that is not contiguous, are
// first gathered into vectors.
void binary_row(BinaryLoop loop, const float* a, long aStride, const float* b, long bStride, float* y, int n) {
  v p = splat(*a), q = splat(*b);
  int i = 0;
  if ((aStride | bStride) == 1) {
    i = n - n % VL;
    loop(aStride ? a : (float*)&p, aStride * VL, bStride ? b : (float*)&q, bStride * VL, y, i);
  }
  for (; i < n; i += VL) {
    const int count = min(n - i, VL);
    p = read(a + i * aStride, aStride, count), q = read(b + i * bStride, bStride, count);
    loop((float*)&p, VL, (float*)&q, VL, (float*)&p, VL);
    store(y + i, p, count);
  }
}

}  // namespace

void binary(const Binary& c) {
  const BinaryLoop loop = binary_loop_of(c.op);
  Shape s(c.rank, c.dims);
  if (s.empty()) return;
  s.merge();
  const int n = s.size[s.rank - 1];
  const long aStride = s.x[s.rank - 1], bStride = s.y[s.rank - 1];
  s.rank--;
  float* y = c.y;
  s.each([&](long atA, long atB) { binary_row(loop, c.a + atA, aStride, c.b + atB, bStride, y, n), y += n; });
}

// ------------------------------------------------------------------------------------------------------------- softmax
void softmax(const Softmax& c) {
  const int n = c.n, log = c.log;
  const int end = n - n % VL, tail = n - end;
  const v low = splat(-__builtin_inff());
  const vi valid = lanes() < tail;
  over_ranges(c.rows, 40.0 * c.rows * n, [&](int first, int last) {
    const float* x = c.x + (long)first * n;
    float* y = c.y + (long)first * n;
    for (int r = first; r < last; r++, x += n, y += n) {
      v largest = select(valid, load_few(x + end, tail), low);
      for (int i = 0; i < end; i += VL) largest = apply<b_max>(largest, load(x + i));
      const float top = over_lanes(largest, [](v a, v b) __attribute__((always_inline)) { return apply<b_max>(a, b); });
      const v t = load_few(x + end, tail) - top, e = exp(t);
      v sum = select(valid, e, splat(0));
      store_few(y + end, log ? t : e, tail);
      for (int i = 0; i < end; i += VL) {
        const v t = load(x + i) - top, e = exp(t);
        store(y + i, log ? t : e);
        sum += e;
      }
      const v total = splat(sum_lanes(sum)), shift = unroll::UNROLL_ISA::log(total), scale = 1.f / total;
      for (int i = 0; i < end; i += VL) store(y + i, log ? load(y + i) - shift : load(y + i) * scale);
      store_few(y + end, log ? load_few(y + end, tail) - shift : load_few(y + end, tail) * scale, tail);
    }
  });
}

}  // namespace unroll::UNROLL_ISA
