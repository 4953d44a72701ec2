// A bundle: a directory with config.json and, somewhere, a root file system.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "node/oci/config.h"

namespace cluster::oci {

struct Bundle {
  std::string path;         // absolute, without links
  std::string rootfs;       // absolute, without links
  std::string config_text;  // as it was read, for later commands
  Config config;
};

// `config` is looked up from the bundle. NotFound: no such bundle, no configuration or no root file
// system in it. InvalidArgument: a flaw in the configuration, or no process in it.
absl::StatusOr<Bundle> LoadBundle(const std::string& path, const std::string& config);

// FailedPrecondition: config.json asks for what this machine's kernel does not have (a security
// module, resource control of the processor).
absl::Status CheckMachine(const Config& config);
absl::Status CheckMachine(const Process& process);

}  // namespace cluster::oci
