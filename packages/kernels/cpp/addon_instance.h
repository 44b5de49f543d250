// An instance of the kernels in Node: its linear memory, its thread pool, and their lifetime. Only addon.cpp includes this.
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>
#include <sys/mman.h>

#include <cstdint>
#include <string>

#include "pool.h"

namespace {

// Makes a Node-API call. If it fails, throws a JavaScript exception and returns from the calling function.
#define TRY(call)                                                                              \
  do {                                                                                         \
    if ((call) != napi_ok) return failed(env, #call);                                          \
  } while (0)

napi_value failed(napi_env env, const char* what) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, "ERR_UNROLL_NODE_API", (std::string("Node-API call failed: ") + what).c_str());
  return nullptr;
}

// ------------------------------------------------------------------------------------------------------ an instance

struct Instance {
  char* base = nullptr;
  uint64_t size = 0;
  bool mapped = false;           // true: the memory was mapped by map_buffer and must be unmapped
  napi_env env = nullptr;        // if not mapped: the environment of the buffer
  napi_ref buffer_ref = nullptr; // if not mapped: the reference that keeps the buffer alive
  unroll::Pool* pool = nullptr;
  int references = 0;  // the number of functions and buffers in JavaScript that use the instance

  ~Instance() {
    unroll::pool_destroy(pool);
    if (mapped) munmap(base, size);
    if (buffer_ref) napi_delete_reference(env, buffer_ref);
  }
};

void release(Instance* instance) {
  if (--instance->references == 0) delete instance;
}

// While a KernelScope exists, kernels on this thread use the pool of the instance and treat denormal numbers as zero.
struct KernelScope {
  unroll::Pool* outer;  // the pool that this thread used before
#if defined(__x86_64__)
  unsigned control = __builtin_ia32_stmxcsr();
  explicit KernelScope(Instance& instance) : outer(unroll::pool_enter(instance.pool)) {
    __builtin_ia32_ldmxcsr(control | 0x8040);
  }
  ~KernelScope() {
    __builtin_ia32_ldmxcsr(control);
    unroll::pool_enter(outer);
  }
#else
  uint64_t control;
  explicit KernelScope(Instance& instance) : outer(unroll::pool_enter(instance.pool)) {
    asm volatile("mrs %0, fpcr" : "=r"(control));
    asm volatile("msr fpcr, %0" : : "r"(control | (uint64_t(1) << 24)));
  }
  ~KernelScope() {
    asm volatile("msr fpcr, %0" : : "r"(control));
    unroll::pool_enter(outer);
  }
#endif
};

// ------------------------------------------------------------------------------------------------------------- memory

// The data that the finalizer of an external buffer receives. `instance` owns the memory of the buffer. `taken` becomes true once
// the buffer has been created. If creating it fails, Node may call the finalizer all the same, at any later time; the finalizer
// then does nothing.
struct Lease {
  Instance* instance;
  bool taken = false;
};
void finalize_buffer(napi_env, void*, void* hint) {
  Lease* lease = static_cast<Lease*>(hint);
  if (!lease->taken) return;
  release(lease->instance);
  delete lease;
}

void clear_exception(napi_env env) {
  napi_value ignored;
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) napi_get_and_clear_last_exception(env, &ignored);
}

// Excludes the memory from child processes; otherwise starting a child can fail, because the system also counts unused
// memory. Requests huge pages; the weights of a large model need more small pages than the TLB has entries.
void advise(char* base, uint64_t size) {
#ifdef MADV_DONTFORK
  const uintptr_t page = 65536;  // a multiple of every page size
  const uintptr_t first = (reinterpret_cast<uintptr_t>(base) + page - 1) / page * page;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(base) + size) / page * page;
  if (last <= first) return;
  madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTFORK);
#ifdef MADV_HUGEPAGE
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
#endif
}

// Reserves address space and returns it as an external buffer, or null if that fails. No memory is committed, whatever the
// overcommit policy of the system.
napi_value map_buffer(napi_env env, Instance* instance, uint64_t size) {
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  Lease* lease = new Lease{instance};
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, base, size, finalize_buffer, lease, &buffer) != napi_ok) {
    clear_exception(env);
    munmap(base, size);
    return nullptr;
  }
  lease->taken = true;
  instance->references++;
  instance->base = static_cast<char*>(base);
  instance->size = size;
  instance->mapped = true;
  advise(instance->base, size);
  return buffer;
}

// Returns a buffer that V8 allocates, or null if that fails. Used if external buffers are not allowed at all (as in Electron),
// or not of this size (Node 20 allows at most 4 GiB). The system provides such large zeroed memory without writing to it, so
// unused parts cost nothing.
napi_value allocate_buffer(napi_env env, Instance* instance, uint64_t size) {
  napi_value buffer = nullptr;
  void* base;
  if (napi_create_arraybuffer(env, size, &base, &buffer) != napi_ok || !base ||
      napi_create_reference(env, buffer, 1, &instance->buffer_ref) != napi_ok) {
    clear_exception(env);
    return nullptr;
  }
  instance->env = env;
  instance->base = static_cast<char*>(base);
  instance->size = size;
  advise(instance->base, size);
  return buffer;
}

// Creates the linear memory of an instance, smaller than `bytes` if necessary, and returns its buffer.
napi_value make_memory(napi_env env, Instance* instance, uint64_t bytes) {
  for (uint64_t size = bytes; size >= 1 << 20; size /= 4) {
    if (napi_value buffer = map_buffer(env, instance, size)) return buffer;
    if (napi_value buffer = allocate_buffer(env, instance, size)) return buffer;
  }
  napi_throw_error(env, "ERR_UNROLL_MEMORY", "the system refused to reserve address space for the memory of the kernels; raise the limit on virtual memory (ulimit -v)");
  return nullptr;
}

}  // namespace
