// The exports of the WebAssembly modules: every kernel under its plain name, in the inference-only builds those that
// such a program calls. The linker leaves out what no export leads to. Empty in native builds.
#include "kernels_impl.h"
#include "list.generated.h"

#define EXPORT(result, name, arguments, names)                                      \
  extern "C" __attribute__((export_name(#name))) result export_##name arguments {   \
    return unroll::UNROLL_ISA::name names;                                          \
  }
#ifdef __wasm__
UNROLL_INFERENCE(EXPORT)
#ifndef UNROLL_INFERENCE_ONLY
UNROLL_TRAINING(EXPORT)
#endif
#endif
