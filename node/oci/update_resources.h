// The resources that `update` changes, from its command line. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "node/oci/flags.h"
#include "node/oci/resources.h"

namespace cluster::oci {

absl::Span<const Flag> UpdateFlags();

// Lays the flags over `base`. Sizes in bytes, or with k, m, g (of 1024); -1 = no limit.
// InvalidArgument.
absl::StatusOr<Resources> UpdatedResources(const Arguments& flags, Resources base);

}  // namespace cluster::oci
