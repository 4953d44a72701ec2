// A deliberate bug, switched on by CLUSTER_SIM_MUTANT=NAME. Only mutants.patch uses this: the
// project's own sources never include it.
#pragma once

#include <stdlib.h>
#include <string.h>

namespace cluster::sim {

inline bool Mutant(const char* name) {
  static const char* const chosen = getenv("CLUSTER_SIM_MUTANT");
  return chosen != nullptr && strcmp(chosen, name) == 0;
}

}  // namespace cluster::sim
