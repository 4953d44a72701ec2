// Where two messages of one type first differ.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/message.h"

namespace cluster {

// The path of the first field that differs, as in manifests ("containers[0].command"); a list whose
// length differs is named itself. "" when they are equal.
std::string FirstDifference(const google::protobuf::Message& a, const google::protobuf::Message& b);

// All of them, at most `most`, in the order of the schema.
std::vector<std::string> Differences(const google::protobuf::Message& a,
                                     const google::protobuf::Message& b, size_t most);

}  // namespace cluster
