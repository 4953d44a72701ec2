// Users: they ask the controller for things, as often as it takes to hear an answer.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "cluster/v1/api.pb.h"
#include "tests/sim/world.h"

namespace cluster::sim {

class Users {
 public:
  explicit Users(World* world) : world_(world) {}

  void Apply(v1::Object object);
  void Delete(const std::string& kind, const std::string& name, std::optional<int64_t> grace = {});
  void Scale(const std::string& kind, const std::string& name, int replicas);
  void Undo(const std::string& kind, const std::string& name);
  void Evict(const std::string& pod);
  void Cordon(const std::string& node, bool unschedulable);
  // Of a Deployment.
  void Rollout(const std::string& name, v1::RolloutAction action);
  // Reads it, changes it, and replaces it if nobody else did meanwhile: else again.
  void Change(const std::string& kind, const std::string& name, const std::string& what,
              std::function<void(v1::Object*)> change);

 private:
  // Plans the write on the controller that runs then.
  using Plan = std::function<absl::StatusOr<store::Txn>(Controller*, const std::string& write_id)>;
  struct Call;
  // `again`: also where somebody else has changed it meanwhile.
  void Ask(const std::string& what, Plan plan, bool again = false);
  void Send(std::shared_ptr<Call> call);

  World* const world_;
};

}  // namespace cluster::sim
