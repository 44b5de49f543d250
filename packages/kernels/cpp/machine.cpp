// Properties of this build, for the benchmark and the loaders.
#include "kernels_impl.h"
#include "list.generated.h"
#include "vec.h"

namespace unroll::UNROLL_ISA {

int interface_version() { return UNROLL_INTERFACE_VERSION; }
int vector_width() { return VL; }
int fuses_multiply_add() { return UNROLL_FUSED; }

double multiply_add_peak(int iterations, float* out) {
  // With 16 registers, 12 chains cover the latency, and more would be spilled.
  constexpr int chains = UNROLL_REGISTERS == 32 ? 24 : 12;
  v x[chains];
  const v a = splat(0.999f + *out * 0.f), b = splat(0.001f + *out * 0.f);
  UNROLL_LOOP for (int j = 0; j < chains; j++) x[j] = splat((float)j);
  for (int i = 0; i < iterations; i++) UNROLL_LOOP for (int j = 0; j < chains; j++) x[j] = madd(x[j], a, b);
  v sum = splat(0);
  UNROLL_LOOP for (int j = 0; j < chains; j++) sum += x[j];
  *out = sum_lanes(sum);
  return 2.0 * VL * chains * iterations;
}

}  // namespace unroll::UNROLL_ISA
