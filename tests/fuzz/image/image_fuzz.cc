// libFuzzer's entry, as root: cmake --preset fuzz, then build-fuzz/tests/image_fuzz CORPUS. The
// seeds come from image_replay_test --write-seeds=CORPUS.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/image/image_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string flaw =
      cluster::node::FindImageFlaw({reinterpret_cast<const char*>(data), size});
  if (!flaw.empty()) {
    std::fprintf(stderr, "%s\n", flaw.c_str());
    std::abort();
  }
  return 0;
}
