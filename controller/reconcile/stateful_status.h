// The status of a StatefulSet. Used by its law alone.
#pragma once

#include <string>

#include "controller/reconcile/changes.h"

namespace cluster::controller {

struct StatefulCounts {
  int replicas = 0;
  int ready = 0;
  int available = 0;
  int current = 0;  // of the current revision
  int updated = 0;  // of the update revision
};

// What holds the set back (law 10); an empty reason: nothing does.
struct StatefulWait {
  std::string reason;   // one CamelCase word
  std::string message;  // for people
};

struct StatefulState {
  StatefulCounts counts;
  std::string current_revision;
  std::string update_revision;
  StatefulWait wait;
};

// Writes it where it is new. An update is complete, and its revision the current one, when every
// pod that is asked for has it and is ready.
void WriteStatefulStatus(const Entry& set, const StatefulState& state, absl::Time now,
                         Changes* changes);

}  // namespace cluster::controller
