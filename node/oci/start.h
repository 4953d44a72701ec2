// Makes a container out of a bundle: the parent's side of create and run.
//
// Cgroups, id mappings and records are made here while the container's process builds its root
// (child.h): both take about as long. Single-threaded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/undo_stack.h"
#include "node/cgroup/layout.h"
#include "node/oci/bundle.h"
#include "node/oci/cgroup_group.h"
#include "node/oci/channel.h"
#include "node/oci/child.h"
#include "node/oci/log.h"
#include "node/oci/namespaces.h"
#include "node/oci/sources.h"
#include "node/oci/state.h"
#include "node/oci/supervise.h"

namespace cluster::oci {

struct StartOptions {
  std::string root;
  std::string id;
  std::string bundle;
  std::string config = "config.json";  // looked up from the bundle
  std::string pid_file;
  std::string console_socket;
  int preserved_fds = 0;  // as ClaimFds counted them
  bool no_pivot = false;
  bool new_keyring = true;
};

class ContainerStart {
 public:
  ContainerStart(StartOptions options, Log* log);
  ~ContainerStart();

  // Leaves a process that waits for `start`. After a failure nothing is left.
  absl::Status Create();
  // Starts it at once. In the foreground: passes signals and, with a terminal, bytes on; removes
  // the container when it has ended, unless `keep`; its exit code (128 + signal). Detached: 0 as
  // soon as its program runs.
  absl::StatusOr<int> Run(bool detach, bool keep);

 private:
  absl::Status Load();
  absl::Status Record();
  absl::Status Clone(bool starts_by_socket);
  absl::Status Equip();
  absl::Status Tell(Packet kind, absl::string_view text = "", const std::vector<int>& fds = {});
  absl::Status Attend(Packet until);
  absl::Status Answer(const Message& message);
  absl::Status RunOuterHooks();
  absl::Status CheckTerminal(bool has_foreground) const;
  void DestroyContainer();

  const StartOptions options_;
  Log* const log_;
  Bundle bundle_;
  node::CgroupLayout layout_;
  std::vector<GroupWrite> writes_;
  std::optional<node::DeviceRules> devices_;
  SeccompFilter seccomp_;
  State state_;
  std::unique_ptr<ContainerDirectory> directory_;
  std::unique_ptr<Group> group_;
  HostSources sources_;
  cluster::oci::Clone process_;
  Channel channel_;
  UniqueFd terminal_;  // master, of a foreground run
  UndoStack undo_;
};

}  // namespace cluster::oci
