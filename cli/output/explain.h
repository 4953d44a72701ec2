// What a field of a manifest is, from the schema itself, in the form of kubectl explain.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::cli {

// `path`: "deployment", "deploy.spec.strategy". `recursive`: the names of all fields below it.
// NotFound names what is not there and what comes close.
absl::StatusOr<std::string> Explain(absl::string_view path, bool recursive);

}  // namespace cluster::cli
