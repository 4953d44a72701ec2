// Reads, changes and writes one object; shared by label, annotate and taint.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "cli/session.h"

namespace cluster::cli {

// Writes `object` as `change` leaves it, if nobody else wrote it since it was read; else reads it
// anew and changes that, some times. `change` says whether anything is to be written; its error is
// the answer, and nothing is written. False: nothing was to be changed.
absl::StatusOr<bool> Rewrite(Client& client, v1::Object object,
                             const std::function<absl::StatusOr<bool>(v1::Object*)>& change);

}  // namespace cluster::cli
