// What the .proto files say about messages and fields, for people who write manifests.
#pragma once

#include <string>

#include "google/protobuf/descriptor.h"

namespace cluster {

// The comment before a message or field of the schema, else the one after it, as paragraphs without
// "//"; "" where there is none. Any thread.
std::string CommentOf(const google::protobuf::Descriptor& message);
std::string CommentOf(const google::protobuf::FieldDescriptor& field);

}  // namespace cluster
