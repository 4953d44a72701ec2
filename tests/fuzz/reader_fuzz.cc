// libFuzzer's entry: cmake --preset fuzz, then build-fuzz/tests/reader_fuzz
// tests/fuzz/corpus/reader.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/reader_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string flaw = cluster::FindReaderFlaw({reinterpret_cast<const char*>(data), size});
  if (!flaw.empty()) {
    std::fprintf(stderr, "%s\n", flaw.c_str());
    std::abort();
  }
  return 0;
}
