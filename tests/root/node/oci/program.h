// Programs run to their end, in namespaces of the test's own.
#pragma once

#include <string>
#include <vector>

namespace cluster::oci {

struct Outcome {
  int code = -1;    // 128 + signal
  std::string out;  // standard output
  std::string err;  // standard error
};

// For the rest of this process, once: mount and network namespaces of its own. Nothing that it
// mounts is seen elsewhere, nothing that it sends goes anywhere.
void EnterTestNamespaces();

// The first word is looked for in PATH.
Outcome RunProgram(std::vector<std::string> words, const std::string& input = "");
// The same on a terminal of its own, where `input` was typed in advance; `out` is all that it
// showed.
Outcome RunOnTerminal(std::vector<std::string> words, const std::string& input = "");

}  // namespace cluster::oci
