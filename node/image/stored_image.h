// An image as its record on disk says: images/<hex digest>.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "node/image/image_store.h"

namespace cluster::node {

struct StoredLayer {
  std::string diff_id;
  int64_t size = 0;  // unpacked
};

struct StoredImage {
  std::string digest;
  std::vector<std::string> names;  // normalized; empty when another image took the last one over
  ImageConfig config;
  std::vector<StoredLayer> layers;  // lowest first
  int64_t created_unix_seconds = 0;
};

std::string PrintStoredImage(const StoredImage& image);
// DataLoss when the text is no record.
absl::StatusOr<StoredImage> ParseStoredImage(absl::string_view text);

}  // namespace cluster::node
