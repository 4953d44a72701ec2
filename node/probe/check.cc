#include "node/probe/check.h"

#include "node/probe/exec_check.h"
#include "node/probe/grpc_check.h"
#include "node/probe/http_check.h"
#include "node/probe/tcp_check.h"

namespace cluster::node {
namespace {

// Its time is its timeout.
class SleepCheck : public Check {
 public:
  std::optional<ProbeOutcome> Step(CheckContext&) override { return std::nullopt; }
  ProbeOutcome Overdue() const override {
    return {Verdict::kFailure, "the sleep was cut short by the grace period"};
  }
};

struct Maker {
  CheckPurpose purpose;
  const std::string& pod_uid;
  const std::string& container;
  Runtime* runtime;

  std::unique_ptr<Check> operator()(const ExecAction& action) const {
    return std::make_unique<ExecCheck>(action, purpose, pod_uid, container, runtime);
  }
  std::unique_ptr<Check> operator()(const HttpAction& action) const {
    return std::make_unique<HttpCheck>(action, purpose);
  }
  std::unique_ptr<Check> operator()(const TcpAction& action) const {
    return std::make_unique<TcpCheck>(action);
  }
  std::unique_ptr<Check> operator()(const GrpcAction& action) const {
    return std::make_unique<GrpcCheck>(action);
  }
  std::unique_ptr<Check> operator()(const SleepAction&) const {
    return std::make_unique<SleepCheck>();
  }
};

}  // namespace

std::unique_ptr<Check> MakeCheck(const Action& action, CheckPurpose purpose,
                                 const std::string& pod_uid, const std::string& container,
                                 Runtime* runtime) {
  return std::visit(Maker{purpose, pod_uid, container, runtime}, action);
}

}  // namespace cluster::node
