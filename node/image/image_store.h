// Images on the node: unpacked layers, kept once by digest, and the names that lead to them.
//
// Layout below the store's directory: blobs are not kept; `layers/sha256-<diffid>/` holds an
// unpacked layer in overlayfs form (whiteouts are character devices 0:0, opaque directories carry
// trusted.overlay.opaque), `images/<digest>.json` one record per image, `tmp/` what is in the
// making and is swept at Open. A layer appears by rename, so it is there whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> env;  // "K=V"
  std::string working_dir;
  std::string user;
  std::string stop_signal;  // "SIGQUIT", "3"; empty = SIGTERM
  std::map<std::string, std::string> labels;
};

struct ImageRecord {
  std::string
      digest;  // "sha256:..." of the manifest (of the config, for archives without manifests)
  std::vector<std::string> names;  // normalized, see NormalizeImageName
  ImageConfig config;
  std::vector<std::string> layers;  // absolute directories, lowest first
  int64_t size_bytes = 0;           // of the unpacked layers
  int64_t created_unix_seconds = 0;
};

// "nginx" -> "nginx:latest"; "docker.io/library/nginx:1" -> "nginx:1"; digests stay.
// InvalidArgument for what is no image name.
absl::StatusOr<std::string> NormalizeImageName(absl::string_view name);

// Whatever its ratio, an archive may unpack to this much.
inline constexpr int64_t kRatioFrom = 16 << 20;

// Bounds against bombs.
struct ImageLimits {
  int64_t max_unpacked_bytes = int64_t{20} << 30;  // one image
  int64_t max_entries = 2'000'000;                 // files of one layer
  int64_t max_ratio = 200;                         // unpacked : packed, above kRatioFrom
  int64_t max_json_bytes = 4 << 20;
};

// Thread-safe; loads of one store run one after another, lookups do not wait for them.
class ImageStore {
 public:
  virtual ~ImageStore() = default;
  // Makes the directory when missing, removes what a crash left in tmp/, reads the records.
  static absl::StatusOr<std::unique_ptr<ImageStore>> Open(const std::string& directory,
                                                          ImageLimits limits = {});

  // Reads an OCI layout (as a tar, or a directory) or a `docker save` archive from `path` and makes
  // its images known. `fallback_name` names an image that carries no name. InvalidArgument with one
  // sentence when the archive is hostile, broken or of another architecture: then nothing is
  // changed and nothing was ever written outside the store.
  virtual absl::StatusOr<std::vector<ImageRecord>> Load(const std::string& path,
                                                        absl::string_view fallback_name) = 0;

  // By name (any spelling) or digest; NotFound says what is there to choose from.
  virtual absl::StatusOr<ImageRecord> Find(absl::string_view name_or_digest) const = 0;
  virtual std::vector<ImageRecord> List() const = 0;

  // Takes a name away; an image without names goes, and layers that no image needs any more.
  // `in_use` tells whether a layer directory is mounted somewhere.
  virtual absl::Status Remove(absl::string_view name,
                              const std::function<bool(const std::string& layer)>& in_use) = 0;
};

}  // namespace cluster::node
