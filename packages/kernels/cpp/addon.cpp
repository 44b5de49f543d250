// The kernels as a Node-API addon with the same interface as the WebAssembly instance: one linear memory, and exported
// functions of the same names, which take offsets into that memory as numbers.
//
//   instantiate({ isa?, cores?, reserveBytes?, sliceBytes? }) -> { memory: { buffer }, exports, isa, sliceBytes(),
//     activeThreads(), checkPool(rounds) }
//       isa: the instruction set; cores: the number of threads that can run at the same time; reserveBytes: the size of the
//       memory; sliceBytes: see slice_bytes in parallel.h; activeThreads: see parallel_threads there; checkPool: the number of
//       errors that pool_check.cpp finds
//   cpu: { isas: [...] }        the instruction sets of this build that this machine supports, best first
//
// The memory is reserved address space (16 GiB if the system allows it); unused parts cost nothing. Offset 0 is null. Every
// instance has its own memory and thread pool, so several worker threads can load the addon. Only the thread that created an
// instance can use it, because JavaScript does not share functions between threads.
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <tuple>
#include <type_traits>
#include <utility>

#include "addon_instance.h"
#include "list.generated.h"

#define DECLARE(result, name, arguments, names) result name arguments;
#define DECLARE_CALL(result, name, Struct) result name(const Struct& call);
namespace unroll {
#if defined(__x86_64__)
namespace avx512 { UNROLL_DECLARATIONS(DECLARE, DECLARE_CALL) }
namespace avx2 { UNROLL_DECLARATIONS(DECLARE, DECLARE_CALL) }
namespace baseline { UNROLL_DECLARATIONS(DECLARE, DECLARE_CALL) }
#else
namespace neon { UNROLL_DECLARATIONS(DECLARE, DECLARE_CALL) }
#endif
int parallel_threads();
int slice_bytes();
}  // namespace unroll

namespace {

// ---------------------------------------------------------------------------------------------------------- arguments

// Converts a JavaScript number to the type of a kernel's argument. Returns false if the value is not a number, or not an
// address inside the memory. The address must not be null: only fields of structs can be null.
template <class T>
bool read(napi_env env, napi_value value, const Instance& instance, T& out) {
  if constexpr (std::is_pointer_v<T>) {
    int64_t offset;  // exact up to 2^53; NaN and infinities become 0
    if (napi_get_value_int64(env, value, &offset) != napi_ok || uint64_t(offset) >= instance.size) return false;
    out = reinterpret_cast<T>(instance.base + offset);
    return offset != 0;
  } else if constexpr (std::is_same_v<T, uint32_t>) {
    return napi_get_value_uint32(env, value, &out) == napi_ok;
  } else if constexpr (std::is_integral_v<T>) {
    return napi_get_value_int32(env, value, &out) == napi_ok;
  } else {
    double number;
    if (napi_get_value_double(env, value, &number) != napi_ok) return false;
    out = static_cast<T>(number);
    return true;
  }
}

napi_value bad_argument(napi_env env, const char* kernel, size_t given, size_t arity, size_t index, bool pointer) {
  std::string text = std::string(kernel) + ": ";
  if (given < arity) {
    text += "expected " + std::to_string(arity) + " arguments, got " + std::to_string(given);
  } else {
    text += "argument " + std::to_string(index + 1) +
            (pointer ? " must be an address inside the linear memory" : " must be a number");
  }
  napi_throw_type_error(env, "ERR_UNROLL_ARGUMENT", text.c_str());
  return nullptr;
}

// Reads the slots of the call area one by one as the fields of a struct. If a value is invalid, records the name of the
// field and the condition that the value must meet.
struct Slots {
  const Instance& instance;
  const double* next;
  const char *invalid_field = nullptr, *condition = nullptr;

  template <class T>
  bool operator()(T& to, const char* name, bool nullable) {
    const double slot = *next++;
    if constexpr (std::is_pointer_v<T>) {
      if (slot >= (nullable ? 0 : 1) && slot < double(instance.size)) {
        const uint64_t offset = uint64_t(slot);
        to = offset ? reinterpret_cast<T>(instance.base + offset) : nullptr;
        return true;
      }
      condition = nullable ? "an address inside the linear memory, or 0 for null" : "an address inside the linear memory";
    } else if constexpr (std::is_floating_point_v<T>) {
      to = static_cast<T>(slot);
      return true;
    } else if (slot >= double(std::numeric_limits<T>::min()) && slot <= double(std::numeric_limits<T>::max())) {
      to = static_cast<T>(slot);
      return true;
    } else {
      condition = std::is_signed_v<T> ? "a 32-bit integer" : "an unsigned 32-bit integer";
    }
    invalid_field = name;
    return false;
  }
};

napi_value bad_field(napi_env env, const char* kernel, const Slots& slots) {
  char given[32];
  snprintf(given, sizeof given, "%.16g", slots.next[-1]);
  const std::string text = std::string(kernel) + ": " + slots.invalid_field + " must be " + slots.condition + ", got " + given;
  napi_throw_type_error(env, "ERR_UNROLL_ARGUMENT", text.c_str());
  return nullptr;
}

struct Kernel {
  const char* name;
  size_t arity;
  napi_callback call;
};

// Calls a kernel that takes a struct.
template <auto function, const char* const* name, class Struct, size_t... index>
napi_value call_with(void (*)(const Struct&), std::index_sequence<index...>, napi_env env, napi_callback_info info) {
  napi_value value;
  size_t given = 1;
  void* data;
  if (napi_get_cb_info(env, info, &given, &value, nullptr, &data) != napi_ok) return nullptr;
  Instance& instance = *static_cast<Instance*>(data);
  double* slots;
  if (given < 1 || !read(env, value, instance, slots) || !slots ||
      reinterpret_cast<char*>(slots + unroll::call_slots) > instance.base + instance.size) {
    return bad_argument(env, *name, given, 1, 0, true);
  }
  Slots from{instance, slots};
  Struct call;
  if (!unroll::read_fields(from, call)) return bad_field(env, *name, from);
  KernelScope scope(instance);
  function(call);
  return nullptr;
}

// Calls a kernel that takes up to four arguments.
template <auto function, const char* const* name, class Result, class... Args, size_t... index>
napi_value call_with(Result (*)(Args...), std::index_sequence<index...>, napi_env env, napi_callback_info info) {
  constexpr size_t arity = sizeof...(Args);
  napi_value values[arity + 1];
  size_t given = arity;
  void* data;
  if (napi_get_cb_info(env, info, &given, values, nullptr, &data) != napi_ok) return nullptr;
  Instance& instance = *static_cast<Instance*>(data);
  std::tuple<Args...> args;
  [[maybe_unused]] size_t bad = 0;
  [[maybe_unused]] bool pointer = false;
  if (given < arity ||
      !((read(env, values[index], instance, std::get<index>(args)) ||
         (bad = index, pointer = std::is_pointer_v<Args>, false)) && ...)) {
    return bad_argument(env, *name, given, arity, bad, pointer);
  }
  KernelScope scope(instance);
  if constexpr (std::is_void_v<Result>) {
    function(std::get<index>(args)...);
    return nullptr;
  } else {
    napi_value result = nullptr;
    napi_create_double(env, static_cast<double>(function(std::get<index>(args)...)), &result);
    return result;
  }
}

template <class Result, class... Args>
constexpr auto indices(Result (*)(Args...)) { return std::make_index_sequence<sizeof...(Args)>(); }

template <auto function, const char* const* name>
napi_value call_kernel(napi_env env, napi_callback_info info) {
  return call_with<function, name>(function, indices(function), env, info);
}

#define NAME(name) constexpr const char* name_of_##name = #name;
UNROLL_KERNELS(NAME)

template <auto function, const char* const* name>
constexpr Kernel kernel() { return {*name, indices(function).size(), call_kernel<function, name>}; }

// --------------------------------------------------------------------------------------------------- instruction sets

struct Isa {
  const char* name;
  const Kernel* kernels;
  bool (*available)();
};

#define TABLE(isa)                                                   \
  namespace tables_of_##isa {                                        \
    using namespace unroll::isa;                                     \
    constexpr Kernel kernels[] = {UNROLL_KERNELS(ENTRY)};            \
  }
#define ENTRY(name) kernel<&name, &name_of_##name>(),
#define COUNT(name) +1
constexpr size_t kernel_count = 0 UNROLL_KERNELS(COUNT);

#if defined(__x86_64__)
TABLE(avx512)
TABLE(avx2)
TABLE(baseline)
// __builtin_cpu_supports also checks that the operating system saves the wide registers. Some compilers do not support it for
// F16C (the conversion of float16), so F16C is checked with cpuid.
bool has_avx2() {
  unsigned a, b, c, d;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) &&
         (c & bit_F16C);
}
const Isa isas[] = {
    {"avx512", tables_of_avx512::kernels,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
              has_avx2();
     }},
    {"avx2", tables_of_avx2::kernels, has_avx2},
    {"baseline", tables_of_baseline::kernels, [] { return true; }},
};
#else
TABLE(neon)
const Isa isas[] = {{"neon", tables_of_neon::kernels, [] { return true; }}};
#endif

// -------------------------------------------------------------------------------------------------------- the exports

napi_value string_of(napi_env env, const char* text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  return value;
}

napi_value available_isas(napi_env env) {
  napi_value list;
  TRY(napi_create_array(env, &list));
  uint32_t count = 0;
  for (const Isa& isa : isas) {
    if (isa.available()) TRY(napi_set_element(env, list, count++, string_of(env, isa.name)));
  }
  return list;
}

// Adds a function to an object. The function keeps the instance alive.
napi_value add_function(napi_env env, napi_value object, const char* name, size_t arity, napi_callback callback,
                        Instance* instance) {
  napi_value function, length;
  TRY(napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, instance, &function));
  TRY(napi_create_uint32(env, static_cast<uint32_t>(arity), &length));
  napi_property_descriptor property = {"length", nullptr, nullptr, nullptr, nullptr, length, napi_default, nullptr};
  TRY(napi_define_properties(env, function, 1, &property));
  TRY(napi_add_finalizer(env, function, instance, [](napi_env, void* data, void*) { release(static_cast<Instance*>(data)); },
                         nullptr, nullptr));
  instance->references++;
  TRY(napi_set_named_property(env, object, name, function));
  return function;
}

napi_value active_threads(napi_env env, napi_callback_info info) {
  void* instance;
  TRY(napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &instance));
  KernelScope scope(*static_cast<Instance*>(instance));
  napi_value result;
  TRY(napi_create_int32(env, unroll::parallel_threads(), &result));
  return result;
}

napi_value slice_bytes(napi_env env, napi_callback_info info) {
  void* instance;
  TRY(napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &instance));
  KernelScope scope(*static_cast<Instance*>(instance));
  napi_value result;
  TRY(napi_create_int32(env, unroll::slice_bytes(), &result));
  return result;
}

napi_value check_pool(napi_env env, napi_callback_info info) {
  size_t given = 1;
  napi_value value, result;
  void* instance;
  int32_t rounds;
  TRY(napi_get_cb_info(env, info, &given, &value, nullptr, &instance));
  TRY(napi_get_value_int32(env, value, &rounds));
  KernelScope scope(*static_cast<Instance*>(instance));
  TRY(napi_create_int32(env, unroll::pool_check(rounds), &result));
  return result;
}

bool read_option(napi_env env, napi_value options, const char* name, napi_valuetype wanted, napi_value* value) {
  napi_valuetype type;
  return options && napi_typeof(env, options, &type) == napi_ok && type == napi_object &&
         napi_get_named_property(env, options, name, value) == napi_ok && napi_typeof(env, *value, &type) == napi_ok &&
         type == wanted;
}

const Isa* choose_isa(const char* wanted) {
  for (const Isa& isa : isas) {
    if ((!*wanted || !strcmp(isa.name, wanted)) && isa.available()) return &isa;
  }
  return nullptr;
}

// Returns the default of slice_bytes() (see parallel.h); 0: panels are not divided into slices. Slices make products
// faster if the core multiplies vectors faster than the L2 cache delivers the weights of a tile, that is, with AVX-512 at full
// rate. AMD's family 19h (Zen 3 and 4) executes AVX-512 at half rate, so slices only cost time there. A third of the L1 cache
// is for the slice, the rest for the sums and the rows. If the slice took half, some sets of the cache would need more lines
// than they have ways, and some tiles would read a slice again.
int default_slice_bytes([[maybe_unused]] const Isa& isa) {
#if defined(__x86_64__)
  unsigned a, b, c, d, size = 0;
  if (strcmp(isa.name, "avx512") || !__get_cpuid(0, &a, &b, &c, &d)) return 0;
  const bool amd = b == signature_AMD_ebx;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  const unsigned family = ((a >> 8) & 15) + ((a >> 20) & 255);
  if (amd && family <= 0x19) return 0;
  const unsigned leaf = amd ? 0x8000001d : 4;  // the leaf that describes the caches; subleaf 0 is the L1 data cache
  if (__get_cpuid_count(leaf, 0, &a, &b, &c, &d) && (a & 31) == 1)
    size = ((b >> 22) + 1) * (((b >> 12) & 1023) + 1) * ((b & 4095) + 1) * (c + 1);
  return int(size ? size : 32768) / 3;
#else
  return 0;
#endif
}

napi_value instantiate(napi_env env, napi_callback_info info) {
  size_t given = 1;
  napi_value options = nullptr, value;
  TRY(napi_get_cb_info(env, info, &given, &options, nullptr, nullptr));
  if (!given) options = nullptr;
  char wanted[32] = "";
  if (read_option(env, options, "isa", napi_string, &value)) {
    TRY(napi_get_value_string_utf8(env, value, wanted, sizeof wanted, nullptr));
  }
  double reserve = 16.0 * (1ull << 30);
  if (read_option(env, options, "reserveBytes", napi_number, &value)) TRY(napi_get_value_double(env, value, &reserve));
  double cores = 1;
  if (read_option(env, options, "cores", napi_number, &value)) TRY(napi_get_value_double(env, value, &cores));

  const Isa* isa = choose_isa(wanted);
  if (!isa) {
    std::string text = std::string("the instruction set \"") + wanted + "\" is not available on this machine; available are:";
    for (const Isa& other : isas) {
      if (other.available()) text += std::string(" ") + other.name;
    }
    napi_throw_error(env, "ERR_UNROLL_ISA", text.c_str());
    return nullptr;
  }

  double slice = default_slice_bytes(*isa);
  if (read_option(env, options, "sliceBytes", napi_number, &value)) TRY(napi_get_value_double(env, value, &slice));

  Instance* instance = new Instance;
  instance->pool = unroll::pool_create(static_cast<int>(cores), static_cast<int>(slice));
  instance->references = 1;  // held by this function until it returns
  napi_value buffer = make_memory(env, instance, static_cast<uint64_t>(reserve) & ~uint64_t(65535));
  napi_value result = nullptr, memory, exports;
  auto fill = [&]() -> napi_value {
    if (!buffer) return nullptr;
    TRY(napi_create_object(env, &memory));
    TRY(napi_set_named_property(env, memory, "buffer", buffer));
    TRY(napi_create_object(env, &exports));
    for (size_t i = 0; i < kernel_count; i++) {
      const Kernel& kernel = isa->kernels[i];
      if (!add_function(env, exports, kernel.name, kernel.arity, kernel.call, instance)) return nullptr;
    }
    TRY(napi_create_object(env, &result));
    TRY(napi_set_named_property(env, result, "memory", memory));
    TRY(napi_set_named_property(env, result, "exports", exports));
    TRY(napi_set_named_property(env, result, "isa", string_of(env, isa->name)));
    if (!add_function(env, result, "sliceBytes", 0, slice_bytes, instance)) return nullptr;
    if (!add_function(env, result, "activeThreads", 0, active_threads, instance)) return nullptr;
    if (!add_function(env, result, "checkPool", 1, check_pool, instance)) return nullptr;
    return result;
  };
  result = fill();
  release(instance);
  return result;
}

// Results leave the memory of the kernels as new arrays, which malloc allocates for V8. By default, glibc returns large
// arrays to the system when they are freed, and the pages of the next arrays must be faulted in and cleared again, which
// takes longer than copying the values. With these settings, glibc keeps up to 128 MiB of freed memory. Settings of the
// user have precedence.
void keep_freed_memory() {
#if defined(__GLIBC__)
  for (const char* name : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"})
    if (std::getenv(name)) return;
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that every version accepts
  mallopt(M_TRIM_THRESHOLD, 128 << 20);
#endif
}

}  // namespace

NAPI_MODULE_INIT() {
  keep_freed_memory();
  napi_value function, cpu;
  TRY(napi_create_function(env, "instantiate", NAPI_AUTO_LENGTH, instantiate, nullptr, &function));
  TRY(napi_set_named_property(env, exports, "instantiate", function));
  TRY(napi_create_object(env, &cpu));
  TRY(napi_set_named_property(env, cpu, "isas", available_isas(env)));
  TRY(napi_set_named_property(env, exports, "cpu", cpu));
  return exports;
}
