// grpc.health.v1.Health/Check; SERVING is success.
#pragma once

#include <memory>
#include <string>

#include "node/probe/check.h"

namespace cluster::node {

class GrpcCheck : public Check {
 public:
  explicit GrpcCheck(GrpcAction action) : action_(std::move(action)) {}
  ~GrpcCheck() override;

  std::optional<ProbeOutcome> Step(CheckContext& context) override;
  ProbeOutcome Overdue() const override;

 private:
  // Outlives the check while gRPC's threads may still come to it.
  struct Call;
  void Begin(CheckContext& context);

  const GrpcAction action_;
  std::shared_ptr<Call> call_;
};

}  // namespace cluster::node
