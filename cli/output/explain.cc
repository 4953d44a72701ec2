#include "cli/output/explain.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "cluster/v1/options.pb.h"
#include "proto/schema/comments.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr size_t kWidth = 76;
// Deeper than any manifest goes; schemas of JobTemplate in CronJob and the like end by themselves.
constexpr int kDeepest = 16;

// Words in lines of at most kWidth, each after `indent`.
std::string Wrapped(absl::string_view text, absl::string_view indent) {
  std::string lines;
  std::string line;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!line.empty() && line.size() + word.size() >= kWidth) {
      absl::StrAppend(&lines, indent, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "" : " ", word);
  }
  if (!line.empty()) absl::StrAppend(&lines, indent, line, "\n");
  return lines;
}

bool IsTime(const FieldDescriptor& field) {
  return field.message_type() != nullptr &&
         field.message_type()->full_name() == "google.protobuf.Timestamp";
}

// The message whose fields are below it; nullptr for a value.
const Descriptor* Below(const FieldDescriptor& field) {
  if (field.is_map() || IsTime(field)) return nullptr;
  return field.message_type();
}

std::string ScalarType(const FieldDescriptor& field) {
  const v1::Format format = field.options().GetExtension(v1::format);
  if (format == v1::QUANTITY) return "Quantity";
  if (format == v1::INT_OR_STRING) return "IntOrString";
  if (format == v1::DURATION) return "Duration";
  if (field.message_type() != nullptr) return IsTime(field) ? "Time" : field.message_type()->name();
  const FieldDescriptor::CppType type = field.cpp_type();
  if (type == FieldDescriptor::CPPTYPE_BOOL) return "boolean";
  if (type == FieldDescriptor::CPPTYPE_STRING || field.enum_type() != nullptr) return "string";
  const bool has_point =
      type == FieldDescriptor::CPPTYPE_DOUBLE || type == FieldDescriptor::CPPTYPE_FLOAT;
  return has_point ? "number" : "integer";
}

std::string TypeOf(const FieldDescriptor& field) {
  if (field.is_map()) {
    const FieldDescriptor& value = *field.message_type()->map_value();
    const bool quantity = field.options().GetExtension(v1::format) == v1::QUANTITY;
    return absl::StrCat("map[string]", quantity ? "Quantity" : ScalarType(value));
  }
  return absl::StrCat(field.is_repeated() ? "[]" : "", ScalarType(field));
}

// "enum: RollingUpdate, Recreate"
std::string EnumWords(const FieldDescriptor& field) {
  std::vector<std::string> words;
  const auto* type = field.enum_type();
  for (int i = 0; type != nullptr && i < type->value_count(); ++i) {
    const std::string& text = type->value(i)->options().GetExtension(v1::text);
    if (!text.empty()) words.push_back(text);
  }
  return words.empty() ? "" : absl::StrCat("enum: ", absl::StrJoin(words, ", "));
}

std::vector<const FieldDescriptor*> FieldsOf(const Descriptor& message) {
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < message.field_count(); ++i) {
    if (!message.field(i)->options().GetExtension(v1::not_yet)) fields.push_back(message.field(i));
  }
  return fields;
}

std::string Names(const Descriptor& message, int level) {
  std::string text;
  if (level > kDeepest) return text;
  for (const FieldDescriptor* field : FieldsOf(message)) {
    absl::StrAppend(&text, std::string(static_cast<size_t>(2 * level), ' '), field->json_name(),
                    "\t<", TypeOf(*field), ">\n");
    if (Below(*field) != nullptr) text += Names(*Below(*field), level + 1);
  }
  return text;
}

std::string FieldList(const Descriptor& message) {
  std::string text;
  for (const FieldDescriptor* field : FieldsOf(message)) {
    absl::StrAppend(&text, "  ", field->json_name(), "\t<", TypeOf(*field), ">\n");
    const std::string words = EnumWords(*field);
    if (!words.empty()) absl::StrAppend(&text, "  ", words, "\n");
    absl::StrAppend(&text, Wrapped(CommentOf(*field), "    "), "\n");
  }
  return text;
}

absl::StatusOr<const FieldDescriptor*> FindField(const Descriptor& message, absl::string_view name,
                                                 absl::string_view parent) {
  std::vector<std::string> known;
  for (const FieldDescriptor* field : FieldsOf(message)) {
    if (field->json_name() == name) return field;
    known.push_back(field->json_name());
  }
  return absl::NotFoundError(absl::StrCat("field \"", name, "\" does not exist in ", parent,
                                          "; there are ", absl::StrJoin(known, ", ")));
}

std::string Header(const Kind& kind) {
  const std::vector<std::string> parts = absl::StrSplit(kind.api_version, '/');
  std::string text;
  if (parts.size() == 2) absl::StrAppend(&text, "GROUP:      ", parts[0], "\n");
  absl::StrAppend(&text, "KIND:       ", kind.name, "\nVERSION:    ", parts.back(), "\n\n");
  return text;
}

}  // namespace

absl::StatusOr<std::string> Explain(absl::string_view path, bool recursive) {
  const std::vector<std::string> parts = absl::StrSplit(path, '.');
  const Kind* kind = FindKind(parts[0]);
  if (kind == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("there is no kind \"", parts[0], "\"; see `clusterctl api-resources`"));
  }
  const Descriptor* message = kind->descriptor;
  const FieldDescriptor* field = nullptr;
  std::string parent = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    if (message == nullptr) {
      return absl::NotFoundError(
          absl::StrCat(parent, " is a <", TypeOf(*field), ">, nothing is below it"));
    }
    ASSIGN_OR_RETURN(field, FindField(*message, parts[i], parent));
    message = Below(*field);
    absl::StrAppend(&parent, ".", parts[i]);
  }
  std::string text = Header(*kind);
  std::string words;
  if (field != nullptr) {
    absl::StrAppend(&text, "FIELD: ", field->json_name(), " <", TypeOf(*field), ">\n");
    if (!EnumWords(*field).empty()) absl::StrAppend(&text, EnumWords(*field), "\n");
    text += "\n";
    words = CommentOf(*field);
  }
  if (message != nullptr) {
    absl::StrAppend(&words, words.empty() ? "" : " ", CommentOf(*message));
  }
  absl::StrAppend(&text, "DESCRIPTION:\n", words.empty() ? "    <empty>\n" : Wrapped(words, "    "),
                  "\n");
  if (message == nullptr) return text;
  absl::StrAppend(&text, "FIELDS:\n", recursive ? Names(*message, 1) : FieldList(*message));
  return text;
}

}  // namespace cluster::cli
