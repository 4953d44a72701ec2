// What must hold for any input of the reader; shared by the fuzzer and its replay.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

// "" when all is well, else what is wrong: errors name a place inside of the text, limits were
// kept, and what was read prints to YAML and JSON that reads back equal.
std::string FindReaderFlaw(absl::string_view text);

}  // namespace cluster
