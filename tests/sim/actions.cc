#include "tests/sim/actions.h"

#include "absl/strings/str_cat.h"

namespace cluster::sim {

void Actions::Do(const Action& action) {
  Random random(action.draw);
  world_->Tell(absl::StrCat("* ", NameOf(action.kind)));
  if (IsFault(action.kind)) {
    faults_.Do(action.kind, &random);
  } else {
    wishes_.Do(action.kind, &random);
  }
}

}  // namespace cluster::sim
