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
    Slots from = {slots};                                                                     \
    unroll::Struct call;                                                                      \
    unroll::read_fields(from, call);                                                          \
    return unroll::UNROLL_ISA::name(call);                                                    \
  }
#ifdef __wasm__
namespace {
// The slots of the call area, one after another.
struct Slots {
  const double* at;
  bool operator()(float& to, const char*) { return to = (float)*at++, true; }
  bool operator()(int32_t& to, const char*) { return to = (int32_t)*at++, true; }
  bool operator()(uint32_t& to, const char*) { return to = (uint32_t)*at++, true; }
  template <class T>
  bool operator()(T*& to, const char*) { return to = (T*)(uintptr_t)*at++, true; }
};
}  // namespace
UNROLL_INFERENCE(EXPORT, EXPORT_CALL)
#ifndef UNROLL_INFERENCE_ONLY
UNROLL_TRAINING(EXPORT, EXPORT_CALL)
#endif
#endif
