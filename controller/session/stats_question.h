// One node, asked for its statistics.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cluster/v1/stats.pb.h"
#include "controller/session/relay.h"

namespace cluster::controller {

class Sessions;

// Lives on the relay strand.
class StatsQuestion : public RelayClient {
 public:
  // Called once, unless it is given up: the answer, or nothing where the node gave none. The
  // question may be destroyed in it.
  using Over = std::function<void(std::optional<v1::NodeStats>)>;
  StatsQuestion(std::string node, Over over) : node_(std::move(node)), over_(std::move(over)) {}
  // Gives up.
  ~StatsQuestion() override { GiveUp(); }

  void Ask(Sessions* sessions, const v1::StatsRequest& request);
  void GiveUp();
  const std::string& node() const { return node_; }

  void OnFrame(v1::NodeFrame frame) override;
  void OnSent() override {}
  void OnEnd(const absl::Status& status) override;

 private:
  const std::string node_;
  Over over_;  // empty once it is over
  std::shared_ptr<Relay> relay_;
  std::optional<v1::NodeStats> answer_;
};

}  // namespace cluster::controller
