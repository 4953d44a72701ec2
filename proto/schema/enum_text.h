// Enums and fields as manifests write them, from the descriptors. Any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"

namespace cluster {

// The word of a value ("Running"); "" for one that cannot be written (UNSPECIFIED).
absl::string_view EnumText(const google::protobuf::EnumValueDescriptor& value);

// EnumText(v1::POD_PHASE_RUNNING) = "Running"; "" for an unknown number.
template <typename Enum>
absl::string_view EnumText(Enum value) {
  const auto* descriptor = google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(value);
  return descriptor == nullptr ? absl::string_view() : EnumText(*descriptor);
}

// The value that has this word, or nullptr.
const google::protobuf::EnumValueDescriptor* FindEnumText(
    const google::protobuf::EnumDescriptor& type, absl::string_view text);

// All words of an enum, in the order of the schema.
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor& type);

// The field's name in manifests: "hostIP", "containerPort".
inline absl::string_view ManifestName(const google::protobuf::FieldDescriptor& field) {
  return field.json_name();
}

// The candidate closest to `word` (by edit distance, ignoring case), or "" when none is close
// enough to be what was meant.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace cluster
