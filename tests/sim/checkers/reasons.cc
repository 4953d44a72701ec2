// Law 10: what is not as it should be says why. Looked at where nothing is in the way of saying so.
#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class ReasonsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "every wait has a reason (law 10)"; }

  void OnRest() override {
    for (const auto& [key, entry] : truth().All(v1::Object::kPod)) {
      const v1::Pod& pod = entry->object.pod();
      if (pod.spec().node_name().empty()) {
        CheckUnbound(key, pod);
      } else if (!IsOver(pod) && !IsReady(pod)) {
        CheckUnready(key, pod);
      }
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kNode)) {
      const v1::Node& node = entry->object.node();
      if (!Says(node.status().conditions(), "Ready")) {
        Fail(absl::StrCat(key, " is not ready and does not say why"));
      }
    }
  }

 private:
  // True, or false with a reason.
  static bool Says(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions,
                   absl::string_view type) {
    for (const v1::Condition& condition : conditions) {
      if (condition.type() != type) continue;
      return condition.status() == v1::CONDITION_STATUS_TRUE ||
             (!condition.reason().empty() && !condition.message().empty());
    }
    return false;
  }

  void CheckUnbound(const std::string& key, const v1::Pod& pod) {
    if (!Says(pod.status().conditions(), "PodScheduled")) {
      Fail(absl::StrCat(key, " has no node and does not say why"));
    }
  }

  void CheckUnready(const std::string& key, const v1::Pod& pod) {
    for (const v1::ContainerStatus& container : pod.status().container_statuses()) {
      if (container.state().has_waiting() && container.state().waiting().reason().empty()) {
        Fail(absl::StrCat(key, "/", container.name(), " waits and does not say for what"));
      }
    }
  }
};

}  // namespace

std::unique_ptr<Checker> Reasons(World* world) { return std::make_unique<ReasonsChecker>(world); }

}  // namespace cluster::sim
