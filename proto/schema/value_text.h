// How a value of a manifest is spoken of in messages. Pure; any thread.
#pragma once

#include <string>

#include "proto/schema/yaml_tree.h"

namespace cluster {

// `"three"`, `the text "3"`, `the number 3`, `the bool yes`, `a list`, `a map`, `nothing`.
std::string DescribeValue(const YamlNode& node);

// A field path for a message: long map keys in it are cut.
std::string ShowPath(absl::string_view path);

// In quotes, the first 64 bytes as they are.
std::string QuotedStart(absl::string_view text);

}  // namespace cluster
