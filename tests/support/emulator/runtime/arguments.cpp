#include "arguments.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <vector>

namespace emu {

// Arguments that overlap in the caller's memory must overlap in the copies: a span is what they cover together.
struct Span {
  char* host;
  size_t bytes;
  bool writable;
  std::vector<Array*> arrays;
  std::vector<Guarded> copies;  // one per run
};

static std::vector<Span> spans;

static void find_spans(Array* arrays, int count) {
  std::vector<Array*> sorted;
  for (int i = 0; i < count; ++i) sorted.push_back(arrays + i);
  std::sort(sorted.begin(), sorted.end(), [](Array* a, Array* b) { return a->host < b->host; });
  for (Array* array : sorted) {
    if (spans.empty() || array->host >= spans.back().host + spans.back().bytes || !array->bytes)
      spans.push_back({array->host, 0, false, {}, {}});
    Span& span = spans.back();
    span.bytes = std::max(span.bytes, size_t(array->host - span.host) + array->bytes);
    span.writable |= array->writable;
    span.arrays.push_back(array);
  }
}

static void fill(const Span& span, const Guarded& copy) {
  copy.poison_around();
  memcpy(copy.data, span.host, span.bytes);
}

void stage(Array* arrays, int count, int runs, const Side* sides, size_t alignment) {
  find_spans(arrays, count);
  for (Span& span : spans) {
    span.copies.resize(runs);
    for (int run = 0; run < runs; ++run) {
      span.copies[run].take(span.bytes, sides[run], alignment, reinterpret_cast<uintptr_t>(span.host));
      fill(span, span.copies[run]);
    }
  }
}

void use_copies(int run) {
  for (Span& span : spans)
    for (Array* array : span.arrays) *array->slot = span.copies[run].data + (array->host - span.host);
}

// The array of a span that an offset lies in, or else the one it is nearest to; rather one that may be written.
static const Array& nearest(const Span& span, ptrdiff_t offset) {
  const Array* best = nullptr;
  ptrdiff_t least = 0;
  for (const Array* array : span.arrays) {
    const ptrdiff_t start = array->host - span.host, end = start + array->bytes;
    const ptrdiff_t distance = offset < start ? start - offset : offset >= end ? offset - end + 1 : 0;
    if (!best || distance < least || (distance == least && array->writable)) best = array, least = distance;
  }
  return *best;
}

// "x[15]" for the element of array x at an offset in its span; `told` says also "and x has 15 elements".
static void name_element(const Span& span, ptrdiff_t offset, char* text, size_t size, bool told = true) {
  const Array& array = nearest(span, offset);
  const ptrdiff_t bytes = offset - (array.host - span.host);
  const ptrdiff_t index = bytes >= 0 ? bytes / array.element : -((array.element - 1 - bytes) / array.element);
  const int used = snprintf(text, size, "%s[%td]", array.name, index);
  if (told && used < int(size))
    snprintf(text + used, size - used, ", and %s has %zu elements", array.name, array.bytes / array.element);
}

bool inspect_copies(Finding& finding) {
  for (const Span& span : spans)
    for (const Guarded& copy : span.copies)
      if (const char* trace = copy.trace()) {
        finding = {int(&copy - span.copies.data()), trace, "writes "};
        name_element(span, trace - copy.data, finding.text + 7, sizeof finding.text - 7);
        return true;
      }
  for (const Span& span : spans) {
    if (!span.writable) continue;
    const char* first = span.copies[0].data;
    for (const Guarded& copy : span.copies) {
      if (!memcmp(first, copy.data, span.bytes)) continue;
      const ptrdiff_t offset = std::mismatch(first, first + span.bytes, copy.data).first - first;
      const Array& array = nearest(span, offset);
      finding = {int(&copy - span.copies.data()), copy.data + offset, {}};
      snprintf(finding.text, sizeof finding.text, "%s[%td] depends on the order of threads or the size of the grid",
               array.name, (offset - (array.host - span.host)) / array.element);
      return true;
    }
  }
  return false;
}

const char* restore_copies(int run, const char* byte) {
  const char* twin = nullptr;
  for (const Span& span : spans) {
    for (const Guarded& copy : span.copies)
      if (copy.around(byte)) twin = span.copies[run].data + (byte - copy.data);
    fill(span, span.copies[run]);
  }
  return twin;
}

void copy_back() {
  for (Span& span : spans)
    if (span.writable) memcpy(span.host, span.copies[0].data, span.bytes);
}

void unstage() {
  for (Span& span : spans)
    for (Guarded& copy : span.copies) copy.give_back();
  spans.clear();
}

std::vector<Region> regions(int run) {
  std::vector<Region> found;
  for (const Span& span : spans) found.push_back({span.copies[run].data, span.bytes});
  return found;
}

bool name(const void* address, char* text, size_t size) {
  for (const Span& span : spans)
    for (const Guarded& copy : span.copies)
      if (copy.around(address)) {
        name_element(span, static_cast<const char*>(address) - copy.data, text, size, false);
        return true;
      }
  return false;
}

bool describe(const void* address, char* text, size_t size) {
  for (const Span& span : spans)
    for (const Guarded& copy : span.copies)
      if (copy.around(address)) {
        name_element(span, static_cast<const char*>(address) - copy.data, text, size);
        return true;
      }
  if (!dynamic_memory.around(address)) return false;
  snprintf(text, size, "byte %td of %zu of dynamic shared memory",
           static_cast<const char*>(address) - dynamic_memory.data, dynamic_memory.bytes);
  return true;
}

}  // namespace emu
