// What is in an archive and how it is to be made known: names, configuration and layers of each
// image, with every digest of the documents checked. Writes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "node/image/documents.h"
#include "node/image/image_source.h"
#include "node/image/image_store.h"

namespace cluster::node {

struct PlannedLayer {
  std::string member;   // of the archive
  std::string digest;   // of the packed bytes; empty: the archive does not say
  int64_t size = -1;    // of the packed bytes; -1: the archive does not say
  std::string diff_id;  // of the unpacked tar; empty: the archive does not say (legacy)
};

struct PlannedImage {
  std::string digest;
  std::vector<std::string> names;  // normalized
  ConfigDocument document;
  std::vector<PlannedLayer> layers;  // lowest first
};

// InvalidArgument with one sentence for whatever is missing, malformed, of a wrong digest or of
// another platform.
absl::StatusOr<std::vector<PlannedImage>> PlanImages(const ImageSource& source,
                                                     absl::string_view fallback_name,
                                                     const ImageLimits& limits);

}  // namespace cluster::node
