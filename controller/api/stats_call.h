// One Stats call: every node is asked at once, and what has come by the time the slowest has
// answered or failed is the answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/support/server_callback.h"

#include "cluster/v1/api.grpc.pb.h"
#include "controller/cache/cache.h"
#include "controller/session/sessions.h"

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
  // One node's share.
  class Question : public RelayClient {
   public:
    Question(StatsCall* call, std::string node) : call_(call), node_(std::move(node)) {}
    void Ask(Sessions* sessions, const v1::StatsRequest& request);
    void GiveUp();

    void OnFrame(v1::NodeFrame frame) override;
    void OnSent() override {}
    void OnEnd(const absl::Status& status) override;

    const std::string& node() const { return node_; }
    bool answered() const { return answered_; }

   private:
    StatsCall* const call_;
    const std::string node_;
    std::shared_ptr<Relay> relay_;
    bool answered_ = false;
    bool over_ = false;
  };

  void Begin();
  void OnOver();

  const Cache* const cache_;
  Sessions* const sessions_;
  const v1::StatsRequest request_;
  v1::StatsResponse* const response_;

  // On the strand.
  std::vector<std::unique_ptr<Question>> questions_;
  size_t open_ = 0;
  bool finished_ = false;
};

}  // namespace cluster::controller
