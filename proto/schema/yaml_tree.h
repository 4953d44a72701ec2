// One YAML document as a tree with positions, built from yaml-cpp's events: aliases are shared
// subtrees, merge keys are merged, duplicate keys and cycles are refused, everything is counted
// against limits. Pure; any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "proto/schema/plain_scalar.h"
#include "proto/schema/reader.h"
#include "proto/schema/source_text.h"

namespace cluster {

struct YamlNode;

struct YamlEntry {
  std::string key;  // of a map; empty in a list
  bool plain_key = false;
  size_t key_offset = 0;
  size_t value_offset = 0;  // of the alias where it is one
  const YamlNode* value = nullptr;
};

struct YamlNode {
  enum class Type { kNull, kScalar, kList, kMap };
  Type type = Type::kNull;
  bool plain = false;  // a scalar without quotes, whose type the text decides
  std::string text;
  std::vector<YamlEntry> entries;
  size_t offset = 0;

  // Of the tree below with aliases expanded, this node included.
  int64_t expanded_nodes = 1;
  int64_t expanded_bytes = 0;
  int height = 1;
  bool closed = true;  // false while its end was not seen: an alias to it is a cycle

  // What an unquoted scalar is; kString for a quoted one.
  PlainScalar Resolve() const;
  // The entry of a map, or nullptr. Linear.
  const YamlEntry* Find(absl::string_view key) const;
};

struct YamlFault {
  size_t offset = 0;  // into the whole text
  std::string message;
};

struct YamlDocument {
  std::deque<YamlNode> nodes;  // owns; addresses are stable
  // nullptr: the document is empty, or a fault ended it.
  const YamlNode* root = nullptr;
  // Duplicate keys and the like do not end the reading; bad YAML and limits do.
  std::vector<YamlFault> faults;
};

// `range` of `text`; the text has no fault (FindTextFault). Takes time linear in the range.
YamlDocument ParseYaml(absl::string_view text, DocumentRange range, const ReadLimits& limits);

}  // namespace cluster
