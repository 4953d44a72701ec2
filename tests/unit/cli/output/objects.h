// Objects for the tests of the output, written as manifests.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "cluster/v1/object.pb.h"

namespace cluster::cli {

// The moment at which the tests look.
absl::Time Noon();

// Parsed from protobuf's text form; the test fails when it is not of that form.
v1::Object Parse(absl::string_view text);
v1::Pod ParsePod(absl::string_view text);

// Seconds of Noon() minus `ago`, for timestamps in text form.
std::string At(absl::Duration ago);

}  // namespace cluster::cli
