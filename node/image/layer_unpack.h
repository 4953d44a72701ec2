// Unpacks one layer's tar into a directory, in overlayfs form and within bounds.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "node/image/byte_stream.h"
#include "node/image/image_store.h"

namespace cluster::node {

// `directory` is the empty top of the layer. `budget` is what the image may still take on the disk,
// in bytes of file content; it is lowered. InvalidArgument when the layer is hostile or broken;
// then what was made so far is the caller's to remove.
//
// Kept: owners, permissions with setuid, times, user.* attributes and security.capability. Left
// out: other attributes, ACLs, sockets. Refused: device nodes, absolute paths, "..", paths through
// links that lead out, hard links to anything outside the layer.
absl::Status UnpackLayer(ByteStream* tar, int directory, const ImageLimits& limits,
                         int64_t* budget);

}  // namespace cluster::node
