// Text that containers wrote, made fit for a status: valid UTF-8 and not too long. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster::node {

// What is no UTF-8 becomes U+FFFD, NUL too: a status travels as protobuf text.
std::string ToUtf8(absl::string_view bytes);

// The first bytes of valid UTF-8, at most so many, cut between characters.
std::string CutUtf8(absl::string_view text, size_t most);

// The end of a log file ("RFC3339Nano stdout|stderr F|P text" per line) as the container wrote it:
// at most so many lines and, of those, so many bytes.
std::string LogTail(absl::string_view log, size_t most_lines, size_t most_bytes);

}  // namespace cluster::node
