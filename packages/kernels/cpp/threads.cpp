// The kernels that set and return the number of threads. Like all kernels, they are compiled once per instruction set.
#include "kernels_impl.h"
#include "pool.h"

namespace unroll::UNROLL_ISA {

void set_threads(int count) { pool_set_threads(count); }
int get_threads() { return pool_get_threads(); }

}  // namespace unroll::UNROLL_ISA
