#include "proto/schema/printer.h"

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "google/protobuf/timestamp.pb.h"

#include "cluster/v1/options.pb.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/kinds.h"
#include "proto/schema/scalars.h"

namespace cluster {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Fields in the order of print: these first, then as the schema has them.
std::vector<const FieldDescriptor*> PrintOrder(const google::protobuf::Descriptor& type) {
  static constexpr absl::string_view kFirst[] = {"api_version", "kind", "metadata", "spec",
                                                 "status"};
  std::vector<const FieldDescriptor*> fields;
  for (const absl::string_view name : kFirst) {
    const auto* field = type.FindFieldByName(std::string(name));
    if (field != nullptr) fields.push_back(field);
  }
  for (int i = 0; i < type.field_count(); ++i) {
    if (std::find(fields.begin(), fields.end(), type.field(i)) == fields.end()) {
      fields.push_back(type.field(i));
    }
  }
  return fields;
}

Json StringToJson(const std::string& text, v1::Format format) {
  if (format == v1::BASE64) return EncodeBase64(text);
  int32_t number = 0;
  if (format == v1::INT_OR_STRING && IsBareInt(text) && absl::SimpleAtoi(text, &number)) {
    return number;
  }
  return text;
}

Json MessageToJson(const Message& message);

Json InnerToJson(const Message& message) {
  if (message.GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
    google::protobuf::Timestamp timestamp;
    timestamp.CopyFrom(message);
    return FormatTimestamp(timestamp);
  }
  return MessageToJson(message);
}

// One field, or one element of a repeated field where index >= 0.
Json ValueToJson(const Message& message, const FieldDescriptor* field, v1::Format format,
                 int index) {
  const auto* reflection = message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return InnerToJson(one ? reflection->GetMessage(message, field)
                             : reflection->GetRepeatedMessage(message, field, index));
    case FieldDescriptor::CPPTYPE_ENUM:
      return std::string(EnumText(one ? *reflection->GetEnum(message, field)
                                      : *reflection->GetRepeatedEnum(message, field, index)));
    case FieldDescriptor::CPPTYPE_STRING:
      return StringToJson(one ? reflection->GetString(message, field)
                              : reflection->GetRepeatedString(message, field, index),
                          format);
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? reflection->GetBool(message, field)
                 : reflection->GetRepeatedBool(message, field, index);
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? reflection->GetInt32(message, field)
                 : reflection->GetRepeatedInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? reflection->GetInt64(message, field)
                 : reflection->GetRepeatedInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? reflection->GetUInt32(message, field)
                 : reflection->GetRepeatedUInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? reflection->GetUInt64(message, field)
                 : reflection->GetRepeatedUInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return one ? reflection->GetDouble(message, field)
                 : reflection->GetRepeatedDouble(message, field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return one ? reflection->GetFloat(message, field)
                 : reflection->GetRepeatedFloat(message, field, index);
  }
  return nullptr;
}

Json MapToJson(const Message& message, const FieldDescriptor* field, v1::Format format) {
  const auto* reflection = message.GetReflection();
  std::map<std::string, Json> sorted;
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, field, i);
    std::string key = entry.GetReflection()->GetString(entry, field->message_type()->map_key());
    sorted[std::move(key)] = ValueToJson(entry, field->message_type()->map_value(), format, -1);
  }
  // Appended, not looked up: a lookup in an ordered object is linear.
  Json json = Json::object();
  for (auto& [key, value] : sorted) {
    json.get_ref<Json::object_t&>().emplace_back(key, std::move(value));
  }
  return json;
}

Json ListToJson(const Message& message, const FieldDescriptor* field, v1::Format format) {
  Json json = Json::array();
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    json.push_back(ValueToJson(message, field, format, i));
  }
  return json;
}

bool IsSet(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  if (field->is_repeated()) return reflection->FieldSize(message, field) > 0;
  if (!reflection->HasField(message, field)) return false;
  // A value without a word cannot be written.
  return field->cpp_type() != FieldDescriptor::CPPTYPE_ENUM ||
         !EnumText(*reflection->GetEnum(message, field)).empty();
}

Json MessageToJson(const Message& message) {
  Json json = Json::object();
  for (const FieldDescriptor* field : PrintOrder(*message.GetDescriptor())) {
    if (!IsSet(message, field) && !field->options().GetExtension(v1::print_always)) continue;
    json[std::string(ManifestName(*field))] = FieldToJson(message, *field);
  }
  return json;
}

}  // namespace

Json ToJson(const Message& message) { return InnerToJson(message); }

Json FieldToJson(const Message& message, const FieldDescriptor& field) {
  if (!field.has_presence() && !field.is_repeated() &&
      field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM) {
    return ValueToJson(message, &field, field.options().GetExtension(v1::format), -1);
  }
  if (!IsSet(message, &field)) return nullptr;
  const v1::Format format = field.options().GetExtension(v1::format);
  if (field.is_map()) return MapToJson(message, &field, format);
  if (field.is_repeated()) return ListToJson(message, &field, format);
  return ValueToJson(message, &field, format, -1);
}

Json ToJson(const v1::Object& object) {
  // Concrete messages that were wrapped without their header are printed with it all the same.
  Json json = {{"apiVersion", KindOf(object).api_version}, {"kind", KindOf(object).name}};
  json.update(MessageToJson(Inner(object)));
  return json;
}

Json ToJson(const std::vector<v1::Object>& objects) {
  Json items = Json::array();
  for (const v1::Object& object : objects) items.push_back(ToJson(object));
  Json json = {{"apiVersion", "v1"}, {"kind", "List"}};
  json["items"] = std::move(items);
  json["metadata"] = Json::object();
  return json;
}

std::string PrintJson(const Json& json) {
  return json.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cluster
