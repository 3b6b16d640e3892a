// From the packed bytes of a launch to a call of the kernel, for any kernel signature.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tuple>
#include <type_traits>
#include <utility>

#include "arguments.h"
#include "scheduler.h"

namespace emu {

// How one run of a launch goes about it.
struct Schedule {
  int32_t order;  // an Order
  uint32_t seed;
  uint32_t blocks;  // of the grid; 0: all.  Only kernels that loop over the grid may be given fewer.
  int32_t side;     // a Side: the end of each array that meets an unreadable page
};

// A launch as module.py packs it: this, then `runs` schedules.  Every run starts from the same values, and all must
// come to the same result.
struct Launch {
  uint32_t grid[3], block[3];
  uint32_t shared_bytes;
  uint32_t alignment;  // kept by the addresses of arrays
  uint32_t time_limit_s;
  uint32_t runs;
  uint32_t flush;  // 1: float32 arithmetic takes and gives 0 for what is below 1.2e-38, as CuPy compiles it
  uint32_t races;  // 1: watch for races between blocks
};

const int MAX_RUNS = 4;

// 0, or 1 with a message in fault_message.
int run_launch(const Launch* launch, Array* arrays, int count, Body body);

// An argument comes as its bytes; a pointer as the address of the caller's array and the array's bytes.
template <class T> void unpack(T& value, const char*& packed, Array*&, const char* const*& name) {
  memcpy(&value, packed, sizeof value);
  packed += sizeof value;
  ++name;
}

template <class T> void unpack(T*& value, const char*& packed, Array*& array, const char* const*& name) {
  uint64_t host, bytes;
  memcpy(&host, packed, sizeof host);
  memcpy(&bytes, packed + sizeof host, sizeof bytes);
  packed += sizeof host + sizeof bytes;
  void** slot = reinterpret_cast<void**>(const_cast<std::remove_const_t<T>**>(&value));
  value = nullptr;
  if (host)
    *array++ = {*name, sizeof(T), !std::is_const<T>::value, reinterpret_cast<char*>(host), bytes, slot};
  ++name;
}

template <class... A>
int launch(void (*kernel)(A...), const char* const* names, const Launch* how, const char* packed) {
  std::tuple<std::remove_cv_t<A>...> arguments;
  Array arrays[sizeof...(A) + 1], *end = arrays;
  std::apply([&](auto&... each) { (unpack(each, packed, end, names), ...); }, arguments);
  auto call = [&] { std::apply(kernel, arguments); };
  using Call = decltype(call);
  return run_launch(how, arrays, end - arrays, {[](void* c) { (*static_cast<Call*>(c))(); }, &call});
}

template <class T> Parameter parameter() {
  using Element = std::remove_pointer_t<T>;
  const bool pointer = std::is_pointer<T>::value;
  return {sizeof(Element), pointer, pointer && !std::is_const<Element>::value, std::is_arithmetic<Element>::value};
}

template <class... A> int signature(void (*)(A...), Parameter* parameters) {
  const Parameter all[] = {parameter<A>()..., {}};
  memcpy(parameters, all, sizeof...(A) * sizeof(Parameter));
  return sizeof...(A);
}

}  // namespace emu

// The two functions that module.py calls for its kernel number i; emu_names_i lists the parameters' names.
#define EMU_VISIBLE extern "C" __attribute__((visibility("default")))
#define EMU_EXPORT(i, ...)                                                         \
  EMU_VISIBLE int emu_launch_##i(const emu::Launch* how, const char* packed) {     \
    return emu::launch(&__VA_ARGS__, emu_names_##i, how, packed);                  \
  }                                                                                \
  EMU_VISIBLE int emu_signature_##i(emu::Parameter* parameters) {                  \
    return emu::signature(&__VA_ARGS__, parameters);                               \
  }
