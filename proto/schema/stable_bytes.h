// Equality and order of messages through their bytes: maps come in key order, so equal messages
// have equal bytes.
#pragma once

#include <string>

#include "google/protobuf/message_lite.h"

namespace cluster {

std::string StableBytes(const google::protobuf::MessageLite& message);

inline bool SameMessage(const google::protobuf::MessageLite& a,
                        const google::protobuf::MessageLite& b) {
  return a.ByteSizeLong() == b.ByteSizeLong() && StableBytes(a) == StableBytes(b);
}

}  // namespace cluster
