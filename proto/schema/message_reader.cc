#include "proto/schema/message_reader.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/timestamp.pb.h"

#include "cluster/v1/options.pb.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/path_scope.h"
#include "proto/schema/value_text.h"
#include "proto/schema/yaml_message.h"

namespace cluster {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Type = YamlNode::Type;

const FieldDescriptor* FindField(const Descriptor& type, absl::string_view name) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (ManifestName(*type.field(i)) == name) return type.field(i);
  }
  return nullptr;
}

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.emplace_back(ManifestName(*type.field(i)));
  return names;
}

// A field that is not supported yet may be written where it asks for nothing: null, {}, [] or,
// where absence and default are one, the default.
bool AsksForNothing(const YamlNode& node, const FieldDescriptor& field) {
  if (node.type == Type::kNull) return true;
  if (node.type != Type::kScalar) return node.entries.empty();
  if (field.is_repeated() || field.has_presence()) return false;
  const PlainScalar scalar = node.Resolve();
  switch (scalar.type) {
    case PlainScalar::Type::kNull:
      return true;
    case PlainScalar::Type::kBool:
      return field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL && !scalar.boolean;
    case PlainScalar::Type::kInt:
      return field.cpp_type() != FieldDescriptor::CPPTYPE_STRING && scalar.integer == 0;
    case PlainScalar::Type::kString:
      return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && node.text.empty();
    case PlainScalar::Type::kFloat:
      return false;
  }
  return false;
}

bool Contains(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

void MessageReader::Refuse(size_t offset, const std::string& what) {
  if (!Full()) faults_->push_back({offset, absl::StrCat(ShowPath(path_), ": ", what)});
}

void MessageReader::Note(const YamlEntry& entry) {
  positions_->try_emplace(
      path_, FieldPosition{text_->At(entry.key_offset), text_->At(entry.value_offset)});
}

void MessageReader::Read(const YamlNode& node, Message* message,
                         const std::vector<std::string>& skip) {
  ReadFields({"", false, node.offset, node.offset, &node}, message, skip);
}

void MessageReader::RefuseUnknown(const YamlEntry& entry, const Descriptor& type) {
  const PathScope scope(&path_, PathScope::Field(entry.key));
  const std::string meant = DidYouMean(entry.key, FieldNames(type));
  Refuse(entry.key_offset,
         meant.empty() ? absl::StrCat("unknown field; ", type.name(), " has no such field")
                       : absl::StrCat("unknown field; did you mean ", ShowText(meant), "?"));
}

void MessageReader::ReadFields(const YamlEntry& entry, Message* message,
                               const std::vector<std::string>& skip) {
  const YamlNode& node = *entry.value;
  if (node.type == Type::kNull) return;
  if (node.type != Type::kMap) {
    Refuse(entry.value_offset, absl::StrCat("expected a map of fields, got ", DescribeValue(node)));
    return;
  }
  for (const YamlEntry& child : node.entries) {
    if (Full()) return;
    if (Contains(skip, child.key)) continue;
    const FieldDescriptor* field = FindField(*message->GetDescriptor(), child.key);
    if (field == nullptr) {
      RefuseUnknown(child, *message->GetDescriptor());
    } else {
      ReadField(child, *field, message);
    }
  }
}

void MessageReader::ReadField(const YamlEntry& entry, const Field& field, Message* message) {
  const PathScope scope(&path_, PathScope::Field(entry.key));
  Note(entry);
  if (field.options().GetExtension(v1::not_yet)) {
    if (!AsksForNothing(*entry.value, field) && !Full()) {
      faults_->push_back({entry.key_offset, absl::StrCat("not supported yet: ", ShowPath(path_))});
    }
  } else if (entry.value->type == Type::kNull) {
    // As in Kubernetes: the same as not written.
  } else if (field.is_map()) {
    ReadMap(entry, field, message);
  } else if (field.is_repeated()) {
    ReadList(entry, field, message);
  } else {
    ReadValue(entry, {&field, &field, message});
  }
}

void MessageReader::ReadMap(const YamlEntry& entry, const Field& field, Message* message) {
  if (entry.value->type != Type::kMap) {
    Refuse(entry.value_offset,
           absl::StrCat("expected a map of names to values, got ", DescribeValue(*entry.value)));
    return;
  }
  for (const YamlEntry& child : entry.value->entries) {
    if (Full()) return;
    ReadMapEntry(child, field, message);
  }
}

void MessageReader::ReadMapEntry(const YamlEntry& entry, const Field& field, Message* message) {
  const PathScope scope(&path_, PathScope::Key(entry.key));
  Note(entry);
  const std::string seen = entry.plain_key ? PlainKeyText(entry.key) : entry.key;
  if (seen != entry.key) {
    Refuse(entry.key_offset, absl::StrCat("unquoted, this key means ", ShowText(seen),
                                          "; quote it: ", ShowText(entry.key)));
    return;
  }
  const FieldDescriptor* key = field.message_type()->map_key();
  Message* map_entry = message->GetReflection()->AddMessage(message, &field);
  map_entry->GetReflection()->SetString(map_entry, key, entry.key);
  const FieldDescriptor* value = field.message_type()->map_value();
  const bool quantity = field.options().GetExtension(v1::format) == v1::QUANTITY;
  if (entry.value->type != Type::kNull || quantity) ReadValue(entry, {value, &field, map_entry});
}

void MessageReader::ReadList(const YamlEntry& entry, const Field& field, Message* message) {
  if (entry.value->type != Type::kList) {
    Refuse(entry.value_offset, absl::StrCat("expected a list, got ", DescribeValue(*entry.value),
                                            "; start each item with \"- \""));
    return;
  }
  int index = 0;
  for (const YamlEntry& item : entry.value->entries) {
    if (Full()) return;
    const PathScope scope(&path_, PathScope::Index(index++));
    Note(item);
    if (item.value->type == Type::kNull) {
      Refuse(item.value_offset, "this item is empty; fill it in or remove it");
    } else {
      ReadValue(item, {&field, &field, message, true});
    }
  }
}

void MessageReader::ReadValue(const YamlEntry& entry, const Target& target) {
  switch (target.type->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const auto* reflection = target.message->GetReflection();
      Message* inner = target.add ? reflection->AddMessage(target.message, target.type)
                                  : reflection->MutableMessage(target.message, target.type);
      if (inner->GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
        return ReadTime(entry, inner);
      }
      return ReadFields(entry, inner, {});
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return ReadEnum(entry, target);
    case FieldDescriptor::CPPTYPE_BOOL:
      return ReadBool(entry, target);
    case FieldDescriptor::CPPTYPE_STRING:
      return ReadString(entry, target);
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return ReadWhole(entry, target);
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return ReadDecimal(entry, target);
  }
}

}  // namespace cluster
