#include "proto/schema/reader.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "cluster/v1/options.pb.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/kinds.h"
#include "proto/schema/message_reader.h"
#include "proto/schema/source_text.h"
#include "proto/schema/value_text.h"
#include "proto/schema/yaml_message.h"
#include "proto/schema/yaml_tree.h"

namespace cluster {
namespace {

using Type = YamlNode::Type;

const Kind* FindExactKind(absl::string_view name) {
  for (const Kind& kind : AllKinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::vector<std::string> KindNames() {
  std::vector<std::string> names = {"List"};
  for (const Kind& kind : AllKinds()) names.push_back(kind.name);
  return names;
}

// What `get -o yaml` prints and the controller alone writes. resourceVersion stays: it asks for
// "only if unchanged since".
void DropSystemFields(v1::ObjectMeta* meta) {
  const auto* type = meta->GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (field->options().GetExtension(v1::system) && field->name() != "resource_version") {
      meta->GetReflection()->ClearField(meta, field);
    }
  }
}

// Reads the documents of one file.
class FileReader {
 public:
  FileReader(absl::string_view text, absl::string_view file, const ReadLimits& limits)
      : text_(text), positions_(text), file_(file == "-" ? "stdin" : file), limits_(limits) {}

  ReadResult Run();

 private:
  size_t Room() const {
    return static_cast<size_t>(limits_.errors) -
           std::min(result_.errors.size(), static_cast<size_t>(limits_.errors));
  }
  void RefuseAt(Position at, std::string message);
  void Refuse(size_t offset, std::string message) {
    RefuseAt(positions_.At(offset), std::move(message));
  }
  void RefuseFile(std::string message) {
    result_.errors.push_back({file_, {}, std::move(message)});
  }
  void ReadRoot(const YamlNode& root);
  void ReadObject(const YamlNode& node);
  void ReadItems(const YamlNode& list);
  // The text of apiVersion or kind; nullptr after a refusal.
  const YamlEntry* Header(const YamlNode& node, absl::string_view name, absl::string_view example);
  const Kind* KindFor(const YamlEntry& kind);
  void ReadBody(const YamlNode& node, const Kind& kind);

  const absl::string_view text_;
  const TextPositions positions_;
  const std::string file_;
  const ReadLimits limits_;
  ReadResult result_;
};

void FileReader::RefuseAt(Position at, std::string message) {
  if (Room() > 0) result_.errors.push_back({file_, at, std::move(message)});
}

const YamlEntry* FileReader::Header(const YamlNode& node, absl::string_view name,
                                    absl::string_view example) {
  const YamlEntry* entry = node.Find(name);
  if (entry == nullptr || entry->value->type == Type::kNull) {
    Refuse(entry == nullptr ? node.offset : entry->key_offset,
           absl::StrCat(name, ": missing; write for example ", name, ": ", example));
    return nullptr;
  }
  if (entry->value->type != Type::kScalar) {
    Refuse(entry->value_offset,
           absl::StrCat(name, ": expected text, got ", DescribeValue(*entry->value)));
    return nullptr;
  }
  return entry;
}

const Kind* FileReader::KindFor(const YamlEntry& entry) {
  const std::string& name = entry.value->text;
  const Kind* kind = FindExactKind(name);
  if (kind != nullptr) return kind;
  if (IsKnownButNotYet(name)) {
    Refuse(entry.value_offset, absl::StrCat("not supported yet: kind ", name));
    return nullptr;
  }
  const std::vector<std::string> names = KindNames();
  const std::string meant = DidYouMean(name, names);
  Refuse(entry.value_offset, meant.empty()
                                 ? absl::StrCat("kind: unknown kind ", ShowText(name),
                                                "; known are ", absl::StrJoin(names, ", "))
                                 : absl::StrCat("kind: unknown kind ", ShowText(name),
                                                "; did you mean ", ShowText(meant), "?"));
  return nullptr;
}

void FileReader::ReadObject(const YamlNode& node) {
  if (Room() == 0) return;
  if (node.type != Type::kMap) {
    return Refuse(node.offset, absl::StrCat("expected an object with apiVersion and kind, got ",
                                            DescribeValue(node)));
  }
  const YamlEntry* kind_entry = Header(node, "kind", "Deployment");
  if (kind_entry != nullptr && kind_entry->value->text == "List") return ReadItems(node);
  const Kind* kind = kind_entry == nullptr ? nullptr : KindFor(*kind_entry);
  if (kind_entry != nullptr && kind == nullptr) return;
  const YamlEntry* version = Header(
      node, "apiVersion", kind == nullptr ? "apps/v1" : absl::string_view(kind->api_version));
  if (kind == nullptr) return;
  if (version != nullptr && version->value->text != kind->api_version) {
    Refuse(version->value_offset,
           absl::StrCat("apiVersion: ", ShowText(version->value->text), " has no kind ", kind->name,
                        "; write apiVersion: ", kind->api_version));
  }
  ReadBody(node, *kind);
}

void FileReader::ReadItems(const YamlNode& list) {
  for (const YamlEntry& entry : list.entries) {
    if (entry.key == "items" && entry.value->type == Type::kList) {
      for (const YamlEntry& item : entry.value->entries) ReadObject(*item.value);
    } else if (entry.key == "items" && entry.value->type != Type::kNull) {
      Refuse(entry.value_offset,
             absl::StrCat("items: expected a list, got ", DescribeValue(*entry.value)));
    } else if (entry.key != "items" && entry.key != "apiVersion" && entry.key != "kind" &&
               entry.key != "metadata") {
      const std::string meant = DidYouMean(entry.key, {"items", "apiVersion", "kind", "metadata"});
      Refuse(entry.key_offset,
             absl::StrCat(ShowPath(entry.key), ": unknown field",
                          meant.empty() ? "; a List has items" : "; did you mean ",
                          meant.empty() ? "" : ShowText(meant) + "?"));
    }
  }
}

void FileReader::ReadBody(const YamlNode& node, const Kind& kind) {
  Document document;
  document.file = file_;
  document.start = positions_.At(node.offset);
  document.object = NewObject(kind);
  std::vector<YamlFault> faults;
  MessageReader reader(&positions_, &document.positions, Room(), &faults);
  reader.Read(node, MutableInner(&document.object), {"apiVersion", "kind", "status"});
  const bool whole = faults.empty();
  for (YamlFault& fault : faults) Refuse(fault.offset, std::move(fault.message));
  const v1::ObjectMeta& meta = Meta(document.object);
  const bool written = document.positions.contains("metadata.name");
  if (meta.name().empty() && meta.generate_name().empty() && (whole || !written)) {
    RefuseAt(
        FindPosition(document, "metadata.name"),
        absl::StrCat("metadata.name: ", written ? "empty" : "missing", "; give the object a name"));
  } else if (whole) {
    DropSystemFields(MutableMeta(&document.object));
    result_.documents.push_back(std::move(document));
  }
}

ReadResult FileReader::Run() {
  if (text_.size() > limits_.total_bytes) {
    RefuseFile(absl::StrCat("the input is larger than ", limits_.total_bytes, " bytes; split it"));
    return std::move(result_);
  }
  if (const auto fault = FindTextFault(text_); fault.has_value()) {
    Refuse(fault->offset, fault->message);
    return std::move(result_);
  }
  for (const DocumentRange& range : SplitDocuments(text_)) {
    if (Room() == 0) break;
    YamlDocument document = ParseYaml(text_, range, limits_);
    for (YamlFault& fault : document.faults) Refuse(fault.offset, std::move(fault.message));
    if (document.root != nullptr && document.root->type != Type::kNull) ReadObject(*document.root);
  }
  std::stable_sort(result_.errors.begin(), result_.errors.end(),
                   [](const ReadError& a, const ReadError& b) {
                     return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
                   });
  if (Room() == 0) RefuseFile("there may be more errors; mend these first");
  return std::move(result_);
}

}  // namespace

std::string ReadError::ToString() const {
  if (at.line == 0) return absl::StrCat(file, ": ", message);
  return absl::StrCat(file, ":", at.line, ":", at.column, ": ", message);
}

ReadResult ReadManifests(absl::string_view text, absl::string_view file, const ReadLimits& limits) {
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  return FileReader(text, file, limits).Run();
}

absl::Status ToStatus(const std::vector<ReadError>& errors) {
  if (errors.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(
      errors, "\n",
      [](std::string* out, const ReadError& error) { absl::StrAppend(out, error.ToString()); }));
}

Position FindPosition(const Document& document, absl::string_view field) {
  const auto exact = document.positions.find(field);
  if (exact != document.positions.end()) return exact->second.value;
  while (!field.empty()) {
    const bool bracket = field.back() == ']';
    const size_t cut = field.rfind(bracket ? '[' : '.');
    if (cut == field.npos) break;
    field = field.substr(0, cut);
    const auto found = document.positions.find(field);
    if (found != document.positions.end()) return found->second.key;
  }
  return document.start;
}

}  // namespace cluster
