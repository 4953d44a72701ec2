// One line of a plan for a cgroup.
#pragma once

#include <string>

namespace cluster::node {

// One write to a control file of a group.
struct ControlWrite {
  std::string controller;  // "cpu", "memory", ...
  bool v2 = false;         // in the v2 tree, otherwise in the v1 hierarchy of the controller
  std::string file;
  std::string value;
  // The file is absent on some kernels (swap accounting off): then nothing is lost.
  bool optional = false;
  friend bool operator==(const ControlWrite&, const ControlWrite&) = default;
};

}  // namespace cluster::node
