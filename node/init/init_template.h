// The process that this agent's cluster-inits are forked from; see node/init/mould.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "base/unique_handle.h"
#include "node/init/client.h"
#include "node/process/spawn.h"

namespace cluster::node {

// Thread-safe. Started when it is first needed, and again should it die. Ends with this object.
class InitTemplate {
 public:
  // `program` of OpenProgramReadOnly. What template and moulds have to complain of is appended to
  // `log`.
  InitTemplate(UniqueFd program, std::string log)
      : program_(std::move(program)), log_(std::move(log)) {}
  ~InitTemplate();

  // A new mould. Does not wait for it: one that cannot make its namespaces ends, and whoever talks
  // to it hears that it went away.
  absl::StatusOr<InitClient> Order(uint32_t flags, uint32_t first_id);

 private:
  absl::Status Start() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const UniqueFd program_;
  const std::string log_;
  Mutex mutex_;
  std::optional<InitClient> channel_ ABSL_GUARDED_BY(mutex_);
  SpawnedProcess process_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::node
