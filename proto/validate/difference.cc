#include "proto/validate/difference.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/message_differencer.h"

namespace cluster {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

bool SameField(const Message& a, const Message& b, const FieldDescriptor& field) {
  MessageDifferencer differencer;
  return differencer.CompareWithFields(a, b, {&field}, {&field});
}

std::string Join(const std::string& field, const std::string& inside) {
  return inside.empty() ? field : absl::StrCat(field, ".", inside);
}

std::string InsideOf(const Message& a, const Message& b, const FieldDescriptor& field) {
  const std::string name = field.json_name();
  if (field.is_map() || field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return name;
  const auto* reflection = a.GetReflection();
  if (!field.is_repeated()) {
    return Join(name, FirstDifference(reflection->GetMessage(a, &field),
                                      reflection->GetMessage(b, &field)));
  }
  const int size = reflection->FieldSize(a, &field);
  if (size != reflection->FieldSize(b, &field)) return name;
  for (int i = 0; i < size; ++i) {
    const auto& a_item = reflection->GetRepeatedMessage(a, &field, i);
    const auto& b_item = reflection->GetRepeatedMessage(b, &field, i);
    const std::string inside = FirstDifference(a_item, b_item);
    if (!inside.empty()) return Join(absl::StrCat(name, "[", i, "]"), inside);
  }
  return name;
}

}  // namespace

std::string FirstDifference(const Message& a, const Message& b) {
  const auto* descriptor = a.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (!SameField(a, b, field)) return InsideOf(a, b, field);
  }
  return "";
}

}  // namespace cluster
