// What must hold for texts that cluster-oci is handed or reads back: each check returns what is
// wrong, or "". A crash, a sanitizer's finding or a hang are what a fuzzer looks for besides.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster::oci {

// config.json of a bundle, and parts of it: read, or refused with a sentence.
std::string FindConfigFlaw(absl::string_view text);
// The record of a container: what is read is written as it was read.
std::string FindOciStateFlaw(absl::string_view text);

}  // namespace cluster::oci
