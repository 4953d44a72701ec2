// Names of container images: [HOST[:PORT]/]PATH[:TAG][@DIGEST].
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

// "" when well-formed, otherwise one sentence that says what is wrong.
std::string ImageNameProblem(absl::string_view image);

// Tag "latest", said or meant (neither tag nor digest).
bool IsLatest(absl::string_view image);

}  // namespace cluster
