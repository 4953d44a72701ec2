// The scalar half of MessageReader: one value of a manifest into one field.
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "google/protobuf/timestamp.pb.h"

#include "cluster/v1/options.pb.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/message_reader.h"
#include "proto/schema/scalars.h"
#include "proto/schema/value_text.h"
#include "proto/schema/yaml_message.h"

namespace cluster {
namespace {

using google::protobuf::FieldDescriptor;
using Type = YamlNode::Type;

// Beyond this a double does not hold every whole number.
constexpr double kExactDouble = 9'007'199'254'740'992.0;

struct Range {
  int64_t least;
  int64_t most;
};

Range RangeOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    case FieldDescriptor::CPPTYPE_UINT32:
      return {0, std::numeric_limits<uint32_t>::max()};
    case FieldDescriptor::CPPTYPE_UINT64:
      return {0, std::numeric_limits<int64_t>::max()};
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
}

void PutWhole(int64_t value, const FieldDescriptor* field, bool add,
              google::protobuf::Message* message) {
  const auto* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      const auto narrow = static_cast<int32_t>(value);
      return add ? reflection->AddInt32(message, field, narrow)
                 : reflection->SetInt32(message, field, narrow);
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      const auto narrow = static_cast<uint32_t>(value);
      return add ? reflection->AddUInt32(message, field, narrow)
                 : reflection->SetUInt32(message, field, narrow);
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      const auto wide = static_cast<uint64_t>(value);
      return add ? reflection->AddUInt64(message, field, wide)
                 : reflection->SetUInt64(message, field, wide);
    }
    case FieldDescriptor::CPPTYPE_INT64:
      return add ? reflection->AddInt64(message, field, value)
                 : reflection->SetInt64(message, field, value);
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
}

// Quotes are wrong here: what to do about it.
std::string UnquoteHint(const YamlNode& node, PlainScalar::Type wanted) {
  const bool helps =
      node.type == Type::kScalar && !node.plain && ResolvePlain(node.text).type == wanted;
  return helps ? "; remove the quotes" : "";
}

}  // namespace

void MessageReader::ReadTime(const YamlEntry& entry, Message* timestamp) {
  if (entry.value->type != Type::kScalar) {
    return Refuse(entry.value_offset,
                  absl::StrCat("expected a time, got ", DescribeValue(*entry.value)));
  }
  const auto time = ParseTimestamp(entry.value->text);
  if (!time.ok()) return Refuse(entry.value_offset, std::string(time.status().message()));
  timestamp->CopyFrom(*time);
}

void MessageReader::ReadWhole(const YamlEntry& entry, const Target& target) {
  const PlainScalar scalar = entry.value->Resolve();
  const bool float_is_whole =
      scalar.type == PlainScalar::Type::kFloat && std::trunc(scalar.number) == scalar.number;
  const bool whole = entry.value->type == Type::kScalar &&
                     (scalar.type == PlainScalar::Type::kInt || float_is_whole);
  if (!whole) {
    return Refuse(entry.value_offset,
                  absl::StrCat("expected a whole number, got ", DescribeValue(*entry.value),
                               UnquoteHint(*entry.value, PlainScalar::Type::kInt)));
  }
  const Range range = RangeOf(*target.type);
  const bool fits = !float_is_whole || std::abs(scalar.number) <= kExactDouble;
  const int64_t value =
      float_is_whole && fits ? static_cast<int64_t>(scalar.number) : scalar.integer;
  if (!fits || value < range.least || value > range.most) {
    return Refuse(entry.value_offset, absl::StrCat(entry.value->text, " is out of range; write ",
                                                   range.least, " to ", range.most));
  }
  PutWhole(value, target.type, target.add, target.message);
}

void MessageReader::ReadDecimal(const YamlEntry& entry, const Target& target) {
  const PlainScalar scalar = entry.value->Resolve();
  const bool whole = scalar.type == PlainScalar::Type::kInt;
  if (entry.value->type != Type::kScalar || (!whole && scalar.type != PlainScalar::Type::kFloat)) {
    return Refuse(entry.value_offset,
                  absl::StrCat("expected a number, got ", DescribeValue(*entry.value)));
  }
  const double value = whole ? static_cast<double>(scalar.integer) : scalar.number;
  const auto* reflection = target.message->GetReflection();
  if (target.type->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
    target.add ? reflection->AddDouble(target.message, target.type, value)
               : reflection->SetDouble(target.message, target.type, value);
  } else {
    const auto narrow = static_cast<float>(value);
    target.add ? reflection->AddFloat(target.message, target.type, narrow)
               : reflection->SetFloat(target.message, target.type, narrow);
  }
}

void MessageReader::ReadBool(const YamlEntry& entry, const Target& target) {
  const PlainScalar scalar = entry.value->Resolve();
  if (entry.value->type != Type::kScalar || scalar.type != PlainScalar::Type::kBool) {
    return Refuse(entry.value_offset,
                  absl::StrCat("expected true or false, got ", DescribeValue(*entry.value),
                               UnquoteHint(*entry.value, PlainScalar::Type::kBool)));
  }
  const auto* reflection = target.message->GetReflection();
  target.add ? reflection->AddBool(target.message, target.type, scalar.boolean)
             : reflection->SetBool(target.message, target.type, scalar.boolean);
}

void MessageReader::ReadEnum(const YamlEntry& entry, const Target& target) {
  const auto& type = *target.type->enum_type();
  const std::vector<std::string> words = EnumWords(type);
  const std::string allowed = absl::StrJoin(words, ", ");
  if (entry.value->type != Type::kScalar) {
    return Refuse(entry.value_offset,
                  absl::StrCat("expected one of ", allowed, "; got ", DescribeValue(*entry.value)));
  }
  const std::string& text = entry.value->text;
  if (text.empty()) return;  // as in Kubernetes: the same as not written
  const auto* value = FindEnumText(type, text);
  if (value == nullptr) {
    const std::string meant = DidYouMean(text, words);
    return Refuse(
        entry.value_offset,
        absl::StrCat("unknown value ", ShowText(text),
                     meant.empty() ? "" : absl::StrCat("; did you mean ", ShowText(meant), "?"),
                     meant.empty() ? "; allowed are " : " Allowed are ", allowed));
  }
  const auto* reflection = target.message->GetReflection();
  target.add ? reflection->AddEnum(target.message, target.type, value)
             : reflection->SetEnum(target.message, target.type, value);
}

bool MessageReader::TakeText(const YamlEntry& entry, std::string* text) {
  const YamlNode& node = *entry.value;
  if (node.type != Type::kScalar) {
    Refuse(entry.value_offset, absl::StrCat("expected text, got ", DescribeValue(node)));
    return false;
  }
  if (node.Resolve().type != PlainScalar::Type::kString) {
    Refuse(entry.value_offset, absl::StrCat("expected text, got ", DescribeValue(node),
                                            "; quote it: ", ShowText(node.text)));
    return false;
  }
  *text = node.text;
  return true;
}

bool MessageReader::TakeTextOrNumber(const YamlEntry& entry, absl::string_view what,
                                     std::string* text) {
  const PlainScalar scalar = entry.value->Resolve();
  const bool number =
      scalar.type == PlainScalar::Type::kInt || scalar.type == PlainScalar::Type::kFloat;
  if (entry.value->type != Type::kScalar ||
      (!number && scalar.type != PlainScalar::Type::kString)) {
    Refuse(entry.value_offset,
           absl::StrCat("expected ", what, ", got ", DescribeValue(*entry.value)));
    return false;
  }
  *text = entry.value->text;
  if (scalar.type == PlainScalar::Type::kInt) *text = absl::StrCat(scalar.integer);
  if (scalar.type == PlainScalar::Type::kFloat) *text = absl::StrReplaceAll(*text, {{"_", ""}});
  return true;
}

void MessageReader::ReadString(const YamlEntry& entry, const Target& target) {
  const v1::Format format = target.options->options().GetExtension(v1::format);
  std::string text;
  absl::Status status;
  if (format == v1::QUANTITY) {
    if (!TakeTextOrNumber(entry, "a quantity like 500m or 64Mi", &text)) return;
    auto canonical = CanonicalQuantity(text);
    status = canonical.status();
    if (canonical.ok()) text = *std::move(canonical);
  } else if (format == v1::INT_OR_STRING) {
    if (!TakeTextOrNumber(entry, "a whole number or text", &text)) return;
    if (entry.value->Resolve().type == PlainScalar::Type::kFloat) {
      status = absl::InvalidArgumentError(
          absl::StrCat(text, " is neither a whole number nor text; write 3 or \"25%\""));
    }
  } else if (!TakeText(entry, &text)) {
    return;
  } else if (format == v1::BASE64) {
    auto bytes = DecodeBase64(text);
    status = bytes.status();
    if (bytes.ok()) text = *std::move(bytes);
  } else if (format == v1::DURATION) {
    status = ParseGoDuration(text).status();
  }
  const bool is_text = target.type->type() == FieldDescriptor::TYPE_STRING;
  if (status.ok() && is_text && text.find('\0') != text.npos) {
    status = absl::InvalidArgumentError("text cannot hold the character \\0; remove it");
  }
  if (!status.ok()) return Refuse(entry.value_offset, std::string(status.message()));
  const auto* reflection = target.message->GetReflection();
  target.add ? reflection->AddString(target.message, target.type, text)
             : reflection->SetString(target.message, target.type, text);
}

}  // namespace cluster
