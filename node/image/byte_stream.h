// Bytes that come one piece after the other: a blob, or what is packed in it.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

// What a stream holds of its bytes at a time.
inline constexpr size_t kStreamPiece = 256 << 10;

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // The next piece, valid until the next call; empty at the end. InvalidArgument: the archive is
  // broken or hostile.
  virtual absl::StatusOr<absl::string_view> Next() = 0;
};

}  // namespace cluster::node
