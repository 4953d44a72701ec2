// Namespaces that outlive the processes in them: made here, pinned by a bind mount of their nsfs
// file (namespaces(7), as ip-netns(8) does), ended by taking the pin away.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace cluster::cli {

// Makes `directory` a private mount of its own, so that a mount namespace can be pinned below it.
absl::Status MakePinDirectory(const std::string& directory);

// A new, empty network namespace with its loopback up, pinned at `pin`. Ok when it is there
// already.
absl::Status PinNewNetns(const std::string& pin);

// A new mount namespace, a private copy of ours without any pin of a local cluster in it, pinned at
// `pin`. Ok when it is there already.
absl::Status PinNewMountns(const std::string& pin);

// Ok when nothing is pinned there.
absl::Status Unpin(const std::string& pin);
bool IsPinned(const std::string& pin);

// Lazily unmounts the pin directory itself.
absl::Status RemovePinDirectory(const std::string& directory);

}  // namespace cluster::cli
