// One Stats call: every node is asked at once, and what has come by the time the slowest has
// answered or failed is the answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpcpp/support/server_callback.h"

#include "cluster/v1/api.grpc.pb.h"
#include "controller/cache/cache.h"
#include "controller/session/sessions.h"
#include "controller/session/stats_question.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the relay
// strand.
class StatsCall : public grpc::ServerUnaryReactor {
 public:
  // All must outlive the call; `request` is copied, `response` belongs to gRPC.
  StatsCall(const Cache* cache, Sessions* sessions, const v1::StatsRequest& request,
            v1::StatsResponse* response);

  void OnCancel() override;
  void OnDone() override;

 private:
  void Begin();
  void Take(const std::string& node, std::optional<v1::NodeStats> answer);
  void OnOver();

  const Cache* const cache_;
  Sessions* const sessions_;
  const v1::StatsRequest request_;
  v1::StatsResponse* const response_;

  // On the strand.
  std::vector<std::unique_ptr<StatsQuestion>> questions_;
  size_t open_ = 0;
  bool finished_ = false;
};

}  // namespace cluster::controller
