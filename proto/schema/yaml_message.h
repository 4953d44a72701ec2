// yaml-cpp's errors as sentences for people. Pure; any thread.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

// What is wrong at `offset` of `text`, given yaml-cpp's own message.
std::string YamlMessage(absl::string_view message, absl::string_view text, size_t offset);

// Quoted for a message: at most 64 bytes, control characters escaped.
std::string ShowText(absl::string_view text);

}  // namespace cluster
