// Words of /proc/PID/mountinfo, proc_pid_mountinfo(5).
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

// There space, tab, newline and backslash are three octal digits behind a backslash.
std::string UnescapeMountInfo(absl::string_view word);

}  // namespace cluster
