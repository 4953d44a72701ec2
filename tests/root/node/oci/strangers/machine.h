// Lets other people's container managers (podman, containerd, docker) run here without a trace:
// what they write below /etc, /var, /run and /dev/shm goes with the test, their cgroups lie below
// one of the test's, what they leave running becomes the test's child and is accounted for at the
// end. They have no network: see EnterTestNamespaces.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/root/node/oci/program.h"
#include "tests/root/node/runtime/rootfs_fixture.h"

namespace cluster::oci {

// In PATH.
bool IsInstalled(const std::string& program);

class StrangersMachine {
 public:
  StrangersMachine();
  // Fails the test for processes and cgroups of containers that are left, and takes them away.
  ~StrangersMachine();
  StrangersMachine(const StrangersMachine&) = delete;
  StrangersMachine& operator=(const StrangersMachine&) = delete;

  std::string base() const { return directory_.path(); }
  // Root file system with a busybox and a /fifo, and the same as a tar archive.
  std::string rootfs() const { return base() + "/rootfs"; }
  std::string image_tar() const { return base() + "/image.tar"; }
  // Name of the cgroup, at the root of every hierarchy, below which all groups have to be.
  std::string group() const;
  // A copy of the program: other tests look whether theirs can be written.
  std::string Runtime() const { return base() + "/bin/cluster-oci"; }
  // What a group's file holds, of the hierarchy of a v1 controller or the v2 tree; "none" without.
  static std::string ReadGroup(const std::string& group, const std::string& controller,
                               const std::string& v1_file, const std::string& v2_file);

 private:
  void Shadow(const std::string& directory);
  void EndDescendants();
  void RemoveGroups();

  node::TemporaryDirectory directory_;
  std::string came_from_;
  std::vector<std::string> mounts_;
};

// A service that says when it is ready, as systemd has it: sd_notify(3).
class Daemon {
 public:
  // Its output goes to `log`.
  Daemon(std::vector<std::string> words, const std::string& log);
  // SIGTERM, and waits.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  bool ready() const { return ready_; }

 private:
  pid_t pid_ = -1;
  bool ready_ = false;
};

}  // namespace cluster::oci
