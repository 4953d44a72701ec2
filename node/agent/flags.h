// The command line of cluster-node.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "node/eviction/thresholds.h"
#include "node/runtime/id_ranges.h"

namespace cluster::node {

struct Flags {
  std::string controller;
  std::string node;
  std::string state_dir;
  std::string run_dir;
  std::string cgroup_parent = "/cluster";
  std::string address;  // empty: the machine's first
  std::string bridge = "cbr0";
  std::string log_level = "info";
  std::string init_program;  // empty: beside this program
  std::string resolv_conf = "/etc/resolv.conf";
  std::string cluster_domain = "cluster.local";
  std::vector<Threshold> eviction_hard = DefaultThresholds();
  std::vector<Threshold> eviction_soft;  // with their graces
  absl::Duration eviction_max_grace = absl::ZeroDuration();
  absl::Duration eviction_hold = absl::Minutes(5);
  bool static_cpus = false;
  std::map<std::string, int64_t> devices;
  IdRange user_ids = kContainerIds;
  int64_t log_max_bytes = 10 << 20;
  int log_max_files = 5;
  int spare_pods = 2;
};

struct ParsedFlags {
  Flags flags;
  bool exit = false;  // --help, --version or a mistake was answered
  int exit_code = 0;
};

ParsedFlags ParseFlags(int argc, const char* const* argv);

}  // namespace cluster::node
