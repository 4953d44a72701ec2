// What runs between clone and exec. Freestanding. The functions do not return: they end in
// execve(2) or in Fail().
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/init/launch.h"

namespace cluster::init {

struct CgroupFds {
  int v2_dir = -1;  // used by clone3
  const int* tasks = nullptr;
  size_t task_count = 0;
};

// The go-ahead comes over `channel`: one byte kGoMark with the v1 tasks files.
constexpr char kGoMark = 'G';
struct ContainerInputs {
  const Launch* launch;
  int pod_shm;         // see rootfs.h
  int node_proc;       // O_PATH of the procfs of the node's pid namespace
  int user_namespace;  // of the pod, or -1
  uint32_t first_id;   // what id 0 of it is on the node
  int pid_namespace;   // with kSharedProcesses
  int cgroup2;         // what the container's own process is born into, or -1
  const int* volumes;  // of the plan's kVolume mounts, in their order
  size_t volume_count;
  int channel;   // with a terminal, the pty's master goes out here, with one byte kTerminalMark
  int stdin_fd;  // -1 = nothing to read; with a terminal all three
  int stdout_fd;
  int stderr_fd;
};

// What a process that becomes a container is cloned with.
uint64_t CloneFlagsFor(const ContainerInputs& inputs);
// True: the process that runs RunContainer prepares only, and clones the container's own process
// when it has entered namespaces that a clone flag cannot name. That one is its sibling, and its
// birth is told over `channel` before this one ends.
bool HasSecondProcess(const ContainerInputs& inputs);
[[noreturn]] void RunContainer(const ContainerInputs& inputs);

// With SCM_RIGHTS: a pidfd.
struct BirthNotice {
  int32_t pid;  // in the pid namespace of cluster-init
};

struct ExecInputs {
  const Launch* launch;  // of the container: environment, user, directory, capabilities
  const Strings* argv;
  const CgroupFds* cgroups;
  int container_pidfd;
  int node_proc;
  int user_namespace;  // of the pod, or -1
  uint32_t first_id;
  int channel;  // with a terminal, the pty's master goes out here first, with one byte
                // kTerminalMark
  int stdio[3];
  bool tty;
  uint16_t rows;
  uint16_t columns;
};
constexpr char kTerminalMark = 'T';
[[noreturn]] void RunExec(const ExecInputs& inputs);

}  // namespace cluster::init
