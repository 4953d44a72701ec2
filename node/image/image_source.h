// The members of an image archive by path, whether it is a directory or a (compressed) tar. Nothing
// of it is ever written to disk by name.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "node/image/byte_stream.h"
#include "node/image/image_store.h"

namespace cluster::node {

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  // Opens what stands at `path`. InvalidArgument when it is neither a directory nor a tar.
  static absl::StatusOr<std::unique_ptr<ImageSource>> Open(const std::string& path,
                                                           const ImageLimits& limits);

  virtual bool Has(const std::string& member) const = 0;
  // NotFound when there is no such file in the archive. The source must outlive the stream.
  virtual absl::StatusOr<std::unique_ptr<ByteStream>> Stream(const std::string& member) const = 0;

  // The whole of a small member. InvalidArgument when it is larger than `limit`.
  absl::StatusOr<std::string> ReadAll(const std::string& member, int64_t limit) const;
};

}  // namespace cluster::node
