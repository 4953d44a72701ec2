#include "tests/sim/random.h"

// RAND_set_rand_method is what is wanted here; providers, which take its place, cannot be set per
// thread.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdlib.h>

#include <openssl/rand.h>

namespace cluster::sim {
namespace {

thread_local Random* current = nullptr;

int Fill(unsigned char* bytes, int count) {
  if (current == nullptr) abort();  // something draws outside of a world
  for (int i = 0; i < count; i += 8) {
    uint64_t drawn = current->Next();
    for (int k = i; k < count && k < i + 8; ++k) {
      bytes[k] = static_cast<unsigned char>(drawn);
      drawn >>= 8;
    }
  }
  return 1;
}

int Ready() { return 1; }

const RAND_METHOD kMethod = {nullptr, Fill, nullptr, nullptr, Fill, Ready};

}  // namespace

void AnswerOpenSsl(Random* random) {
  static const int taken = RAND_set_rand_method(&kMethod);
  if (taken != 1) abort();
  current = random;
}

}  // namespace cluster::sim
