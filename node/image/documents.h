// The JSON documents of images, read into plain values. Pure; every reader takes hostile input.
// https://github.com/opencontainers/image-spec
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "node/image/image_store.h"

namespace cluster::node {

constexpr size_t kMaxLayers = 500;  // overlayfs takes no more lower directories

// Names a blob by content.
struct BlobRef {
  std::string media_type;
  std::string digest;  // "sha256:..."
  int64_t size = 0;
  // Of the platform; empty when none is named.
  std::string os;
  std::string architecture;
  // Annotations that name the image.
  std::string ref_name;
  std::string containerd_name;
  bool attestation = false;  // talks about another manifest and is no image
};

bool IsIndex(const BlobRef& ref);

// index.json, and indexes inside it.
absl::StatusOr<std::vector<BlobRef>> ParseIndex(absl::string_view json);

struct ManifestDocument {
  BlobRef config;
  std::vector<BlobRef> layers;  // lowest first
};
absl::StatusOr<ManifestDocument> ParseManifest(absl::string_view json);

struct ConfigDocument {
  ImageConfig config;
  std::vector<std::string> diff_ids;  // lowest first
  std::string os;
  std::string architecture;
  int64_t created_unix_seconds = 0;
};
absl::StatusOr<ConfigDocument> ParseConfig(absl::string_view json);

// One image of docker save's manifest.json; paths are members of the archive.
struct SavedImage {
  std::string config_path;
  std::vector<std::string> names;
  std::vector<std::string> layer_paths;  // lowest first
};
absl::StatusOr<std::vector<SavedImage>> ParseSavedImages(absl::string_view json);

// docker save before 1.10: `repositories` names images by the id of their top layer, and each
// layer's `json` names its parent and holds the configuration so far.
struct LegacyName {
  std::string name;  // REPOSITORY:TAG
  std::string id;
};
absl::StatusOr<std::vector<LegacyName>> ParseRepositories(absl::string_view json);
struct LegacyLayer {
  std::string parent;       // empty for the lowest
  ConfigDocument document;  // without diff_ids
};
absl::StatusOr<LegacyLayer> ParseLegacyLayer(absl::string_view json);

// GOARCH's name of the architecture that this program was built for.
absl::string_view NodeArchitecture();

}  // namespace cluster::node
