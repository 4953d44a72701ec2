// Bytes that come one piece after the other: a blob, or what is packed in it.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // The next piece, valid until the next call; empty at the end. InvalidArgument: the archive is
  // broken or hostile.
  virtual absl::StatusOr<absl::string_view> Next() = 0;
};

}  // namespace cluster::node
