// Random numbers: Threefry-2x32 with 20 rounds, one vector of blocks at a time. Each word of a stream is computed
// independently of the others, so the numbers do not depend on the vector width.
#include "kernels_impl.h"
#include "vec.h"
#include "work.h"

namespace unroll::UNROLL_ISA {
namespace {

typedef uint32_t vu __attribute__((vector_size(VL * 4)));

FORCE_INLINE vu rotate(vu x, int by) { return x << by | x >> (32 - by); }
FORCE_INLINE void four_rounds(vu& x0, vu& x1, int a, int b, int c, int d) {
  x0 += x1, x1 = rotate(x1, a) ^ x0;
  x0 += x1, x1 = rotate(x1, b) ^ x0;
  x0 += x1, x1 = rotate(x1, c) ^ x0;
  x0 += x1, x1 = rotate(x1, d) ^ x0;
}

// Replaces the counter in x0 and x1 with the two words of the block.
FORCE_INLINE void threefry(uint32_t key0, uint32_t key1, vu& x0, vu& x1) {
  const uint32_t key2 = key0 ^ key1 ^ 0x1BD11BDA;
  x0 += key0, x1 += key1;
  four_rounds(x0, x1, 13, 15, 26, 6), x0 += key1, x1 += key2 + 1;
  four_rounds(x0, x1, 17, 29, 16, 24), x0 += key2, x1 += key0 + 2;
  four_rounds(x0, x1, 13, 15, 26, 6), x0 += key0, x1 += key1 + 3;
  four_rounds(x0, x1, 17, 29, 16, 24), x0 += key1, x1 += key2 + 4;
  four_rounds(x0, x1, 13, 15, 26, 6), x0 += key2, x1 += key0 + 5;
}

// Sets each element of y to value(w), where w is a float with the upper 24 bits of the next word of the stream.
template <class Value>
FORCE_INLINE void each_word(const RandomUniform& c, const Value& value) {
  const int n = c.n;
  float* y = c.y;
  for (int at = 0; at < n; at += 2 * VL) {
    vu x0 = (vu)lanes() + (c.counter0 + (uint32_t)at / 2);
    vu x1 = vu{} + c.counter1 - (vu)(x0 < c.counter0);  // carries into the high word where the low word overflowed
    threefry(c.key0, c.key1, x0, x1);
    const v a = value(__builtin_convertvector((vi)(x0 >> 8), v)), b = value(__builtin_convertvector((vi)(x1 >> 8), v));
    float pairs[2 * VL];
    UNROLL_LOOP for (int i = 0; i < VL; i++) pairs[2 * i] = a[i], pairs[2 * i + 1] = b[i];
    const int count = min(n - at, 2 * VL);
    if (count == 2 * VL)
      UNROLL_LOOP for (int i = 0; i < 2; i++) store(y + at + i * VL, load(pairs + i * VL));
    else
      for (int i = 0; i < count; i++) y[at + i] = pairs[i];
  }
}

}  // namespace

void random_uniform(const RandomUniform& c) {
  each_word(c, [](v word) { return word * 5.9604644775390625e-8f; });
}

void random_mask(const RandomMask& c) {
  const float bound = c.keep * 16777216.f;
  const float scale = c.scale;
  each_word(c, [=](v word) { return select(word < splat(bound), splat(scale), splat(0)); });
}

}  // namespace unroll::UNROLL_ISA
