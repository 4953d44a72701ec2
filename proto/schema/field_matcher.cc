// FieldMatcher: any scalar field of a kind, found through its descriptor.
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/printer.h"
#include "proto/schema/selector.h"
#include "proto/schema/yaml_message.h"

namespace cluster {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* FindField(const Descriptor& type, absl::string_view name,
                                 std::string* meant) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    if (ManifestName(*type.field(i)) == name) return type.field(i);
    names.emplace_back(ManifestName(*type.field(i)));
  }
  *meant = DidYouMean(name, names);
  return nullptr;
}

absl::Status NoSuchField(absl::string_view path, const Kind& kind, absl::string_view meant) {
  return absl::InvalidArgumentError(
      absl::StrCat("field selector: ", kind.name, " has no field ", ShowText(path),
                   meant.empty() ? "" : absl::StrCat("; did you mean ", ShowText(meant), "?")));
}

std::string ToText(const Json& json) {
  if (json.is_null()) return "";
  return json.is_string() ? json.get<std::string>() : json.dump();
}

}  // namespace

std::string ScalarText(const Message& message, const FieldDescriptor& field) {
  return ToText(FieldToJson(message, field));
}

absl::StatusOr<FieldMatcher::Term> FieldMatcher::ParseTerm(absl::string_view text,
                                                           const Kind& kind) {
  const size_t equals = text.find('=');
  if (equals == text.npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "field selector: ", ShowText(text), " has no comparison; write it like metadata.name=web"));
  }
  Term term;
  term.equal = text[equals - 1] != '!';
  absl::string_view path = text.substr(0, term.equal ? equals : equals - 1);
  absl::string_view value = text.substr(equals + 1);
  absl::ConsumePrefix(&value, "=");
  term.value = std::string(absl::StripAsciiWhitespace(value));
  path = absl::StripAsciiWhitespace(path);
  absl::string_view fields = path;
  const size_t bracket = path.find('[');
  if (bracket != path.npos && path.back() == ']') {
    fields = path.substr(0, bracket);
    term.map_key = std::string(path.substr(bracket + 1, path.size() - bracket - 2));
  }
  const Descriptor* type = kind.descriptor;
  for (const absl::string_view name : absl::StrSplit(fields, '.')) {
    std::string meant;
    const FieldDescriptor* field = type == nullptr ? nullptr : FindField(*type, name, &meant);
    if (field == nullptr) return NoSuchField(path, kind, meant);
    term.path.push_back(field);
    const bool message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    type = message && !field->is_repeated() ? field->message_type() : nullptr;
  }
  const bool map = term.path.back()->is_map() && !term.map_key.empty();
  const bool time = type != nullptr && type->full_name() == "google.protobuf.Timestamp";
  const bool scalar = !term.path.back()->is_repeated() && (type == nullptr || time);
  if (!map && (!scalar || bracket != path.npos)) {
    return absl::InvalidArgumentError(absl::StrCat("field selector: ", ShowText(path), " of ",
                                                   kind.name, " is not a single value"));
  }
  return term;
}

absl::StatusOr<FieldMatcher> FieldMatcher::Parse(absl::string_view text, const Kind& kind) {
  FieldMatcher matcher;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::string_view stripped = absl::StripAsciiWhitespace(part);
    if (stripped.empty()) continue;
    auto term = ParseTerm(stripped, kind);
    if (!term.ok()) return term.status();
    matcher.terms_.push_back(*std::move(term));
  }
  return matcher;
}

std::string FieldMatcher::ValueOf(const Term& term, const Message& message) {
  const Message* inner = &message;
  for (size_t i = 0; i + 1 < term.path.size(); ++i) {
    inner = &inner->GetReflection()->GetMessage(*inner, term.path[i]);
  }
  if (!term.path.back()->is_map()) return ScalarText(*inner, *term.path.back());
  const Json map = FieldToJson(*inner, *term.path.back());
  return map.is_null() ? "" : ToText(map.value(term.map_key, Json()));
}

bool FieldMatcher::Matches(const v1::Object& object) const {
  for (const Term& term : terms_) {
    if ((ValueOf(term, Inner(object)) == term.value) != term.equal) return false;
  }
  return true;
}

}  // namespace cluster
