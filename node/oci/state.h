// What is known of a container between two calls of this program: a directory ROOT/ID with
// state.json, a copy of config.json and, until it is started, the socket that starts it.
//
// Recorded before made: the directory and a state without a process are there before the first
// cgroup or namespace is, so that `delete --force` finds whatever a killed start left behind. ROOT
// is on a tmpfs and is gone after a reboot with all that it describes; nothing is synced.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::oci {

struct State {
  std::string version;  // ociVersion of its config.json
  std::string id;
  int pid = 0;              // in this process' pid namespace; 0 = being created
  uint64_t start_time = 0;  // field 22 of /proc/PID/stat: tells the process from a later one
  std::string boot_id;
  std::string created;  // RFC 3339
  std::string bundle;   // absolute
  std::string rootfs;   // absolute
  std::map<std::string, std::string> annotations;
  std::string cgroup;  // below every mount point
  std::string owner;   // who called create
  bool own_pid_namespace = true;
};

std::string EncodeState(const State& state);
// Internal: the text is none of ours.
absl::StatusOr<State> DecodeState(const std::string& text);

enum class Status { kCreating, kCreated, kRunning, kPaused, kStopped };
const char* StatusName(Status status);

// What `state` prints and hooks read: the state of the runtime specification, and beside it what
// runc's and crun's callers look for (rootfs, created, owner).
std::string StateForPeople(const State& state, Status status);

// [A-Za-z0-9_+.-] and at most 255 of them, the first not '.' or '-'. InvalidArgument.
absl::Status CheckId(const std::string& id);

class ContainerDirectory {
 public:
  // Makes ROOT (mode 0700) and the container's directory, locked. AlreadyExists.
  static absl::StatusOr<ContainerDirectory> Create(const std::string& root, const std::string& id);
  // NotFound.
  static absl::StatusOr<ContainerDirectory> Open(const std::string& root, const std::string& id);
  // Of those below ROOT, sorted. A ROOT that does not exist has none.
  static absl::StatusOr<std::vector<std::string>> List(const std::string& root);

  // One command at a time changes a container. Held until the object goes.
  absl::Status Lock();

  absl::Status WriteState(const State& state);
  absl::StatusOr<State> ReadState() const;
  absl::Status WriteConfig(const std::string& text);
  absl::StatusOr<std::string> ReadConfig() const;
  // Whether its start is still to come.
  bool AwaitsStart() const;
  absl::Status ForgetStart();
  // "/proc/self/fd/N/start": short enough for a unix socket's address, whatever ROOT is.
  std::string StartSocketPath() const;
  // With all that is in it.
  absl::Status Remove();

 private:
  ContainerDirectory(UniqueFd root, UniqueFd directory, std::string id)
      : root_(std::move(root)), directory_(std::move(directory)), id_(std::move(id)) {}
  absl::Status Write(const char* name, const std::string& text);

  UniqueFd root_;
  UniqueFd directory_;
  std::string id_;
};

// Field 22 of /proc/PID/stat; 0 when there is no such process, or when it is a zombie.
uint64_t StartTimeOf(int pid);
absl::StatusOr<std::string> BootId();

// Descriptor of the container's process. NotFound when it has ended.
absl::StatusOr<UniqueFd> OpenProcess(const State& state);

}  // namespace cluster::oci
