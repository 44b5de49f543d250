// The exports of the WebAssembly modules: every kernel under its plain name, in the inference-only builds those that
// such a program calls. The linker leaves out what no export leads to. Empty in native builds.
#include "kernels_impl.h"
#include "list.generated.h"

#define EXPORT(result, name, arguments, names)                                      \
  extern "C" __attribute__((export_name(#name))) result export_##name arguments {   \
    return unroll::UNROLL_ISA::name names;                                          \
  }
#define EXPORT_CALL(result, name, Struct)                                                     \
  extern "C" __attribute__((export_name(#name))) result export_##name(const double* slots) {  \
    unroll::Struct call;                                                                      \
    read_struct(slots, &call, sizeof call / 4, unroll::float_fields_of_##Struct);             \
    return unroll::UNROLL_ISA::name(call);                                                    \
  }
#ifdef __wasm__
// Makes a struct of the slots of the call area. Every field takes four bytes here.
static __attribute__((noinline)) void read_struct(const double* slots, void* to, int fields, uint32_t floats) {
  for (int i = 0; i < fields; i++, floats >>= 1) {
    if (floats & 1)
      static_cast<float*>(to)[i] = (float)slots[i];
    else
      static_cast<int32_t*>(to)[i] = (int32_t)(int64_t)slots[i];
  }
}
UNROLL_INFERENCE(EXPORT, EXPORT_CALL)
#ifndef UNROLL_INFERENCE_ONLY
UNROLL_TRAINING(EXPORT, EXPORT_CALL)
#endif
#endif
