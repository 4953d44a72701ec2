#include "proto/schema/yaml_tree.h"

#include <optional>
#include <sstream>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/mark.h"
#include "yaml-cpp/parser.h"

#include "proto/schema/yaml_message.h"

namespace cluster {
namespace {

constexpr absl::string_view kCoreTag = "tag:yaml.org,2002:";

// Ends the parse from inside of an event.
struct Stop {
  YamlFault fault;
};

// yaml-cpp takes the end of the input, when it follows a line break, for the end of quotes that
// were never closed. An end of the document it does not; where there is no line break nothing may
// be added, because it would become part of a block of text.
std::string CloseDocument(absl::string_view text) {
  const size_t last = text.find_last_not_of(" \t");
  if (last == text.npos || text[last] != '\n') return std::string(text);
  return absl::StrCat(text, last + 1 == text.size() ? "" : "\n", "...\n");
}

// A list or map whose end was not seen.
struct Open {
  YamlNode* node;
  absl::flat_hash_set<std::string> keys;
  YamlEntry entry;  // of a map: the key that waits for its value
  bool has_key = false;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  // `base`: where the document starts in `text`; `parsed`: what yaml-cpp sees of it.
  TreeBuilder(absl::string_view text, size_t base, const JsonText& parsed, const ReadLimits& limits,
              YamlDocument* document)
      : text_(text), base_(base), parsed_(parsed), limits_(limits), document_(document) {}

  // yaml-cpp takes what follows a finished value for a document of its own.
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) {
      throw Stop{{Offset(mark),
                  "this does not belong to the value before it; check the indentation, or separate "
                  "documents with ---"}};
    }
    started_ = true;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const bool is_key =
        !open_.empty() && open_.back().node->type == YamlNode::Type::kMap && !open_.back().has_key;
    Add(NewNode(YamlNode::Type::kNull, mark, anchor),
        is_key ? Offset(mark) : NullOffset(Offset(mark)));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    CheckTag(mark, tag, "seq");
    Push(YamlNode::Type::kList, mark, anchor);
  }
  void OnSequenceEnd() override { Pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    CheckTag(mark, tag, "map");
    Push(YamlNode::Type::kMap, mark, anchor);
  }
  void OnMapEnd() override { Pop(); }

 private:
  size_t Offset(const YAML::Mark& mark) const {
    return base_ + parsed_.Original(static_cast<size_t>(std::max(mark.pos, 0)));
  }
  size_t NullOffset(size_t offset) const;
  void Fault(size_t offset, std::string message) {
    if (document_->faults.size() < static_cast<size_t>(limits_.errors)) {
      document_->faults.push_back({offset, std::move(message)});
    }
  }
  void CheckTag(const YAML::Mark& mark, const std::string& tag, absl::string_view allowed) const;
  YamlNode* NewNode(YamlNode::Type type, const YAML::Mark& mark, YAML::anchor_t anchor);
  void Count(int64_t nodes, int64_t bytes, size_t offset);
  void Push(YamlNode::Type type, const YAML::Mark& mark, YAML::anchor_t anchor);
  void Pop();
  // Puts a finished value (or a fresh container) where it belongs.
  void Add(YamlNode* node, size_t offset);
  void TakeKey(Open* open, const YamlNode& node, size_t offset);
  void AddToMap(Open* open, YamlEntry entry);
  void Merge(YamlNode* map);
  void MergeOne(const YamlEntry& source, absl::flat_hash_set<std::string>* keys, YamlNode* map);

  const absl::string_view text_;
  const size_t base_;
  const JsonText& parsed_;
  const ReadLimits& limits_;
  YamlDocument* const document_;
  std::vector<Open> open_;
  absl::flat_hash_map<YAML::anchor_t, YamlNode*> anchors_;
  int64_t nodes_ = 0;
  int64_t bytes_ = 0;
  bool started_ = false;
};

// yaml-cpp reports a missing value where the next thing starts; the text in front of that ends in
// the dash or comma which the value is missing from.
size_t TreeBuilder::NullOffset(size_t offset) const {
  const absl::string_view rest = text_.substr(std::min(offset, text_.size()));
  for (const absl::string_view word : {"null", "Null", "NULL", "~"}) {
    if (absl::StartsWith(rest, word)) return offset;
  }
  const size_t last = offset == 0 ? text_.npos : text_.find_last_not_of(" \t\r\n", offset - 1);
  return last == text_.npos || last < base_ ? offset : last;
}

void TreeBuilder::CheckTag(const YAML::Mark& mark, const std::string& tag,
                           absl::string_view allowed) const {
  if (tag.empty() || tag == "?" || tag == "!" || tag == absl::StrCat(kCoreTag, allowed)) return;
  throw Stop{{Offset(mark), absl::StrCat("the tag ", absl::string_view(tag).substr(0, 64),
                                         " is not supported; remove it")}};
}

void TreeBuilder::Count(int64_t nodes, int64_t bytes, size_t offset) {
  nodes_ += nodes;
  bytes_ += bytes;
  if (nodes_ > limits_.nodes) {
    throw Stop{{offset, absl::StrCat("the document has more than ", limits_.nodes,
                                     " values, counting what aliases stand for; split it")}};
  }
  if (bytes_ > static_cast<int64_t>(limits_.document_bytes)) {
    throw Stop{{offset, absl::StrCat("the document holds more than ", limits_.document_bytes,
                                     " bytes, counting what aliases stand for; split it")}};
  }
}

YamlNode* TreeBuilder::NewNode(YamlNode::Type type, const YAML::Mark& mark, YAML::anchor_t anchor) {
  Count(1, 0, Offset(mark));
  YamlNode* node = &document_->nodes.emplace_back();
  node->type = type;
  node->offset = Offset(mark);
  if (anchor != 0) anchors_[anchor] = node;
  return node;
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  bool plain = tag == "?";
  if (!plain && absl::StartsWith(tag, kCoreTag)) {
    const absl::string_view kind = absl::string_view(tag).substr(kCoreTag.size());
    plain = kind == "int" || kind == "float" || kind == "bool" || kind == "null";
  }
  if (!plain) CheckTag(mark, tag, "str");
  YamlNode* node = NewNode(YamlNode::Type::kScalar, mark, anchor);
  node->plain = plain;
  node->text = MendUtf8(value);
  node->expanded_bytes = static_cast<int64_t>(node->text.size());
  Count(0, node->expanded_bytes, node->offset);
  Add(node, node->offset);
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const size_t offset = Offset(mark);
  const auto found = anchors_.find(anchor);
  if (found == anchors_.end() || !found->second->closed) {
    throw Stop{{offset, "this alias stands inside of what it refers to; break the cycle"}};
  }
  Count(found->second->expanded_nodes, found->second->expanded_bytes, offset);
  Add(found->second, offset);
}

void TreeBuilder::Push(YamlNode::Type type, const YAML::Mark& mark, YAML::anchor_t anchor) {
  YamlNode* node = NewNode(type, mark, anchor);
  node->closed = false;
  if (static_cast<int>(open_.size()) >= limits_.depth) {
    throw Stop{{node->offset, absl::StrCat("lists and maps are nested more than ", limits_.depth,
                                           " deep; flatten them")}};
  }
  Add(node, node->offset);
  open_.push_back({node, {}, {}, false});
}

void TreeBuilder::Pop() {
  YamlNode* node = open_.back().node;
  open_.pop_back();
  if (node->type == YamlNode::Type::kMap) Merge(node);
  for (const YamlEntry& entry : node->entries) {
    node->expanded_nodes += entry.value->expanded_nodes;
    node->expanded_bytes += entry.value->expanded_bytes + static_cast<int64_t>(entry.key.size());
    node->height = std::max(node->height, entry.value->height + 1);
  }
  node->closed = true;
}

void TreeBuilder::Add(YamlNode* node, size_t offset) {
  if (open_.empty()) {
    document_->root = node;
    return;
  }
  if (static_cast<int>(open_.size()) + node->height - 1 > limits_.depth) {
    throw Stop{{offset, absl::StrCat("with this alias, lists and maps are nested more than ",
                                     limits_.depth, " deep; flatten them")}};
  }
  Open* open = &open_.back();
  if (open->node->type == YamlNode::Type::kList) {
    open->node->entries.push_back({"", false, offset, offset, node});
  } else if (!open->has_key) {
    TakeKey(open, *node, offset);
  } else {
    YamlEntry entry = std::move(open->entry);
    open->has_key = false;
    entry.value_offset = node->type == YamlNode::Type::kNull ? entry.key_offset : offset;
    entry.value = node;
    AddToMap(open, std::move(entry));
  }
}

void TreeBuilder::TakeKey(Open* open, const YamlNode& node, size_t offset) {
  open->has_key = true;
  open->entry = {node.text, node.plain, offset, offset, nullptr};
  if (node.type == YamlNode::Type::kScalar) {
    Count(0, static_cast<int64_t>(node.text.size()), offset);
    return;
  }
  throw Stop{
      {offset, node.type == YamlNode::Type::kNull
                   ? "a key is empty; write its name or remove it"
                   : "a list or a map cannot be a key; write a word. (Text in braces, like a "
                     "template's {{ }}, must be quoted)"}};
}

void TreeBuilder::AddToMap(Open* open, YamlEntry entry) {
  if (!open->keys.insert(entry.key).second) {
    Fault(entry.key_offset,
          absl::StrCat(ShowText(entry.key), ": this key stands twice in one map; remove one"));
    return;
  }
  open->node->entries.push_back(std::move(entry));
}

// YAML 1.1 merge keys: what the map says itself wins, then earlier sources over later ones.
void TreeBuilder::Merge(YamlNode* map) {
  const auto is_merge = [](const YamlEntry& entry) { return entry.plain_key && entry.key == "<<"; };
  const auto found = std::find_if(map->entries.begin(), map->entries.end(), is_merge);
  if (found == map->entries.end()) return;
  const YamlEntry merge = std::move(*found);
  map->entries.erase(found);
  absl::flat_hash_set<std::string> keys;
  for (const YamlEntry& entry : map->entries) keys.insert(entry.key);
  if (merge.value->type != YamlNode::Type::kList) return MergeOne(merge, &keys, map);
  for (const YamlEntry& source : merge.value->entries) MergeOne(source, &keys, map);
}

void TreeBuilder::MergeOne(const YamlEntry& source, absl::flat_hash_set<std::string>* keys,
                           YamlNode* map) {
  if (source.value->type != YamlNode::Type::kMap) {
    Fault(source.value_offset, "<<: wants a map, or a list of maps, to merge");
    return;
  }
  for (const YamlEntry& entry : source.value->entries) {
    Count(1, static_cast<int64_t>(entry.key.size()), source.value_offset);
    if (keys->insert(entry.key).second) map->entries.push_back(entry);
  }
}

// Throws Stop or YAML::Exception.
void Parse(absl::string_view text, size_t base, const JsonText& parsed, const ReadLimits& limits,
           YamlDocument* document) {
  std::istringstream stream(CloseDocument(parsed.text()));
  YAML::Parser parser(stream);
  TreeBuilder builder(text, base, parsed, limits, document);
  while (parser.HandleNextDocument(builder)) {
  }
}

// Directives but %YAML, which SplitDocuments took away: yaml-cpp would drop those that end a
// document.
std::optional<size_t> FindDirective(absl::string_view document) {
  if (absl::StartsWith(document, "%")) return 0;
  const size_t found = document.find("\n%");
  return found == document.npos ? std::nullopt : std::optional<size_t>(found + 1);
}

}  // namespace

PlainScalar YamlNode::Resolve() const {
  if (type == Type::kNull) {
    PlainScalar null;
    null.type = PlainScalar::Type::kNull;
    return null;
  }
  return plain ? ResolvePlain(text) : PlainScalar();
}

const YamlEntry* YamlNode::Find(absl::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

YamlDocument ParseYaml(absl::string_view text, DocumentRange range, const ReadLimits& limits) {
  YamlDocument document;
  const auto refuse = [&](size_t offset, std::string message) {
    document.root = nullptr;
    document.faults.push_back({offset, std::move(message)});
  };
  const absl::string_view document_text = text.substr(range.begin, range.end - range.begin);
  const auto directive = FindDirective(document_text);
  if (document_text.size() > limits.document_bytes) {
    refuse(range.begin,
           absl::StrCat("the document is larger than ", limits.document_bytes, " bytes; split it"));
    return document;
  }
  if (directive.has_value()) {
    refuse(range.begin + *directive,
           "a line starts with %; directives other than %YAML are not supported, text must be "
           "indented or quoted");
    return document;
  }
  const JsonText parsed(document_text);
  try {
    Parse(text, range.begin, parsed, limits, &document);
  } catch (const Stop& stop) {
    refuse(stop.fault.offset, stop.fault.message);
  } catch (const YAML::Exception& error) {
    const size_t at = static_cast<size_t>(std::max(error.mark.pos, 0));
    const size_t offset = range.begin + parsed.Original(at);
    refuse(offset, YamlMessage(error.msg, text, offset));
  }
  return document;
}

}  // namespace cluster
