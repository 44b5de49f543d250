// Includes kernels.h in the files that implement it. It declares every kernel in the namespace unroll::UNROLL_ISA, so that
// the same files can be compiled once per instruction set and linked together.
#pragma once
#ifndef UNROLL_ISA
#define UNROLL_ISA portable
#endif
#define KERNEL(result, name, arguments) namespace unroll::UNROLL_ISA { result name arguments; }
#include "kernels.h"
#undef KERNEL
