// A container that is there: how it is, and what can be done with it. Single-threaded.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/cgroup/layout.h"
#include "node/oci/cgroup_group.h"
#include "node/oci/config.h"
#include "node/oci/log.h"
#include "node/oci/state.h"

namespace cluster::oci {

class Container {
 public:
  enum class Locking { kNone, kExclusive };

  // NotFound: "container ID does not exist".
  static absl::StatusOr<Container> Open(const std::string& root, const std::string& id,
                                        Locking locking);

  const State& state() const { return state_; }
  Status status() const { return status_; }
  int process() const { return process_.get(); }  // pidfd; -1 = it has ended
  const Group& group() const { return *group_; }
  Group* mutable_group() { return group_.get(); }
  const node::CgroupLayout& layout() const { return *layout_; }
  ContainerDirectory* directory() { return &directory_; }
  // Its config.json, as it was at creation.
  absl::StatusOr<Config> ReadConfig() const;
  std::string Describe() const { return StateForPeople(state_, status_); }

  // FailedPrecondition for what its status does not allow.
  absl::Status Start(Log* log);
  absl::Status Kill(int signal, bool all);
  absl::Status Pause();
  absl::Status Resume();
  // `force` kills what runs.
  absl::Status Delete(bool force, Log* log);

 private:
  Container(ContainerDirectory directory, State state)
      : directory_(std::move(directory)), state_(std::move(state)) {}
  absl::Status Look();
  absl::Status Require(std::initializer_list<Status> allowed, const char* verb) const;

  ContainerDirectory directory_;
  State state_;
  Status status_ = Status::kStopped;
  UniqueFd process_;
  std::unique_ptr<node::CgroupLayout> layout_;
  std::unique_ptr<Group> group_;
};

// What is left to do once the container's process is gone: ends the rest of its group, removes the
// group and the records, runs the poststop hooks (whose failures are warnings). `config` null:
// unreadable, without hooks. Unavailable while a process does not end.
absl::Status EndContainer(Group* group, const Config* config, const State& state,
                          ContainerDirectory* directory, Log* log);

}  // namespace cluster::oci
