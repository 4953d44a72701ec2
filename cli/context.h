// The clusters that this user knows, and the one that commands speak to when nothing else is said.
//
// Kept in contexts.yaml:
//   current: dev
//   contexts:
//     dev: {server: "unix:/run/cluster/local/dev/api.sock"}
// Every change is read, changed and replaced under a lock of contexts.yaml.lock, and the file
// itself is replaced by rename, so that concurrent programs never lose each other's entries and a
// reader never sees half a file.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cluster::cli {

struct Context {
  // unix:PATH or HOST:PORT.
  std::string server;
};

struct Contexts {
  // Name of the current one; empty: none chosen.
  std::string current;
  std::map<std::string, Context> contexts;
};

// $XDG_CONFIG_HOME/cluster/contexts.yaml, or ~/.config/cluster/contexts.yaml.
std::string ContextsPath();

// A file that does not exist is an empty Contexts. InvalidArgument with file:line:col for a file
// that is not of the form above.
absl::StatusOr<Contexts> LoadContexts(const std::string& path);

// Replaces the file (mode 0600), making its folder when missing.
absl::Status SaveContexts(const std::string& path, const Contexts& contexts);

// Adds or replaces one context and makes it the current one.
absl::Status SetCurrentContext(const std::string& path, const std::string& name,
                               const Context& context);

// Forgets a context, also as the current one. One that is not there is fine.
absl::Status RemoveContext(const std::string& path, const std::string& name);

}  // namespace cluster::cli
