// The kernels that concern the pool itself, one set per instruction set like all others.
#include "kernels_impl.h"
#include "pool.h"

namespace unroll::UNROLL_ISA {

void set_threads(int count) { pool_set_threads(count); }
int get_threads() { return pool_get_threads(); }

}  // namespace unroll::UNROLL_ISA
