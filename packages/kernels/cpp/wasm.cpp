// The exports of the WebAssembly modules: every kernel under its own name, or only the kernels for inference in the
// inference-only builds. The linker removes code that no export uses. This file is empty in native builds.
#include "kernels_impl.h"
#include "list.generated.h"

#define EXPORT(result, name, arguments, names)                                      \
  extern "C" __attribute__((export_name(#name))) result export_##name arguments {   \
    return unroll::UNROLL_ISA::name names;                                          \
  }
// In WebAssembly the call area has the layout of the struct, because every field takes four bytes. The struct is copied so
// that the compiler knows that kernels do not change it.
#define EXPORT_CALL(result, name, Struct)                                                          \
  extern "C" __attribute__((export_name(#name))) result export_##name(const unroll::Struct* area) {  \
    static_assert(sizeof *area == 4 * unroll::fields_of_##Struct);                                   \
    const unroll::Struct call = *area;                                                               \
    return unroll::UNROLL_ISA::name(call);                                                           \
  }
#ifdef __wasm__
UNROLL_INFERENCE(EXPORT, EXPORT_CALL)
#ifndef UNROLL_INFERENCE_ONLY
UNROLL_TRAINING(EXPORT, EXPORT_CALL)
#endif
#endif
