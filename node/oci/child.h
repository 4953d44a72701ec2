// The process that becomes a container: what it does between its clone and its program.
#pragma once

#include <string>

#include "base/unique_handle.h"
#include "node/cgroup/layout.h"
#include "node/oci/bundle.h"
#include "node/oci/channel.h"
#include "node/oci/identity.h"
#include "node/oci/sources.h"

namespace cluster::oci {

struct ChildInputs {
  const Bundle* bundle;
  HostSources* sources;
  const node::CgroupLayout* layout;
  const SeccompFilter* seccomp;
  std::string id;
  std::string cgroup;
  bool late_cgroup = false;
  Channel channel;
  UniqueFd start_socket;  // listening; without one the channel says when to start
  UniqueFd console;       // connected to --console-socket
  int preserved_fds = 0;
  bool no_pivot = false;
  bool new_keyring = true;
};

// Does not return. What goes wrong is told over the channel, or over the start's connection.
[[noreturn]] void RunChild(ChildInputs* inputs);

}  // namespace cluster::oci
