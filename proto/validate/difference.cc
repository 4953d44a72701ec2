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

void Collect(const Message& a, const Message& b, const std::string& prefix, size_t most,
             std::vector<std::string>* found);

// Goes into messages; lists of one length are compared item by item.
void CollectInside(const Message& a, const Message& b, const FieldDescriptor& field,
                   const std::string& path, size_t most, std::vector<std::string>* found) {
  const auto* reflection = a.GetReflection();
  const bool is_message = !field.is_map() && field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (is_message && !field.is_repeated() && reflection->HasField(a, &field) &&
      reflection->HasField(b, &field)) {
    return Collect(reflection->GetMessage(a, &field), reflection->GetMessage(b, &field),
                   absl::StrCat(path, "."), most, found);
  }
  const int size = field.is_repeated() ? reflection->FieldSize(a, &field) : 0;
  if (!is_message || !field.is_repeated() || size != reflection->FieldSize(b, &field)) {
    found->push_back(path);
    return;
  }
  for (int i = 0; i < size; ++i) {
    Collect(reflection->GetRepeatedMessage(a, &field, i),
            reflection->GetRepeatedMessage(b, &field, i), absl::StrCat(path, "[", i, "]."), most,
            found);
  }
}

void Collect(const Message& a, const Message& b, const std::string& prefix, size_t most,
             std::vector<std::string>* found) {
  const auto* descriptor = a.GetDescriptor();
  for (int i = 0; i < descriptor->field_count() && found->size() < most; ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (SameField(a, b, field)) continue;
    CollectInside(a, b, field, absl::StrCat(prefix, field.json_name()), most, found);
  }
}

}  // namespace

std::vector<std::string> Differences(const Message& a, const Message& b, size_t most) {
  std::vector<std::string> found;
  Collect(a, b, "", most, &found);
  if (found.size() > most) found.resize(most);
  return found;
}

std::string FirstDifference(const Message& a, const Message& b) {
  const auto* descriptor = a.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (!SameField(a, b, field)) return InsideOf(a, b, field);
  }
  return "";
}

}  // namespace cluster
