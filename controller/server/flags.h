// The command line of cluster-controller.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/services/ranges.h"

namespace cluster::controller {

struct Flags {
  std::string state_dir;
  std::string socket;
  std::string listen;  // "HOST:PORT"; empty = the unix socket alone
  std::string cluster_cidr = "10.64.0.0/10";
  int node_cidr_bits = 22;
  std::string service_cidr = kDefaultServiceCidr;
  std::string node_ports = kDefaultNodePorts;
  std::string log_level = "info";
  bool i_am_not_partitioned = false;
  bool pack = false;  // --placement pack
  absl::Duration autoscale_period = absl::Seconds(15);
};

// What to do after reading the command line: go on, or exit with this code (help, version, wrong
// usage; what is to be said about it was printed).
struct ParsedFlags {
  Flags flags;
  bool exit = false;
  int exit_code = 0;
};
ParsedFlags ParseFlags(int argc, const char* const* argv);

}  // namespace cluster::controller
