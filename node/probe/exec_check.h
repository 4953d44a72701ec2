// A command in a container. It is in a group of its own there, so that nothing that it starts
// outlives it.
#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "node/probe/check.h"

namespace cluster::node {

class ExecCheck : public Check {
 public:
  ExecCheck(ExecAction action, CheckPurpose purpose, std::string pod_uid, std::string container,
            Runtime* runtime);
  ~ExecCheck() override;

  std::optional<ProbeOutcome> Step(CheckContext& context) override;
  ProbeOutcome Overdue() const override;

 private:
  // What the thread that starts the command leaves for the loop, or the other way round.
  struct Handover {
    Mutex mutex;
    bool abandoned ABSL_GUARDED_BY(mutex) = false;
    std::optional<absl::StatusOr<std::unique_ptr<ExecProcess>>> process ABSL_GUARDED_BY(mutex);
  };

  void Begin(CheckContext& context);
  std::optional<ProbeOutcome> Adopt(CheckContext& context);
  void ReadOutput();
  std::optional<ProbeOutcome> Judge();

  const ExecAction action_;
  const CheckPurpose purpose_;
  const std::string pod_uid_;
  const std::string container_;
  Runtime* const runtime_;
  std::shared_ptr<Handover> handover_;
  std::unique_ptr<ExecProcess> process_;
  std::string output_;
};

}  // namespace cluster::node
