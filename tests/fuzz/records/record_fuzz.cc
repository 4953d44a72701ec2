// libFuzzer's entry, built once for each check: cmake --preset fuzz, then for example
// build-fuzz/tests/state_fuzz tests/fuzz/records/corpus/state.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/records/dns_checks.h"
#include "tests/fuzz/records/oci_checks.h"
#include "tests/fuzz/records/record_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string flaw = cluster::CLUSTER_FUZZ_CHECK({reinterpret_cast<const char*>(data), size});
  if (!flaw.empty()) {
    std::fprintf(stderr, "%s\n", flaw.c_str());
    std::abort();
  }
  return 0;
}
