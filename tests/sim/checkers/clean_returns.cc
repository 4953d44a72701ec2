// A node that was lost counts again when everything that was replaced meanwhile has ended on it.
#include <map>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

// A controller that looks as often as this has seen what is older.
constexpr Nanos kSight = 20 * kSecond;

class CleanReturnsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "nodes come back clean"; }

  void OnStep() override {
    const StoreWeather& weather = *world_->store_weather();
    if (weather.full || weather.unavailable > 0 || weather.unknown > 0) hindered_ = world_->now();
  }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after == nullptr) continue;
      if (change.after->object.has_pod()) {
        const v1::Pod& pod = change.after->object.pod();
        if (IsGoing(pod.metadata()) && pod.status().reason() == "NodeLost") {
          replaced_.try_emplace(pod.metadata().uid(), world_->now());
        }
      }
      const bool was_ready = change.before == nullptr || !change.before->object.has_node() ||
                             Holds(change.before->object.node().status().conditions(), "Ready");
      if (change.after->object.has_node() && !was_ready &&
          Holds(change.after->object.node().status().conditions(), "Ready")) {
        CheckNode(Meta(change.after->object).name());
      }
    }
  }

 private:
  // What the controller saw when it made up its mind is what it saw `kSight` before at most.
  bool Sees() const {
    const Process* const process = world_->controller_process();
    return process != nullptr && process->paused_until() + kSight < world_->now() &&
           hindered_ + kSight < world_->now();
  }

  void CheckNode(const std::string& name) {
    Node* const node = world_->FindNode(name);
    if (node == nullptr || !Sees()) return;
    for (const auto& [id, running] : node->machine()->running()) {
      const auto found = replaced_.find(id.first);
      if (found == replaced_.end() || found->second + kSight > world_->now()) continue;
      if (truth().FindUid(id.first) == nullptr) continue;
      Fail(absl::StrCat(name, " is ready again, and still runs ", running.fact.pod,
                        ", which was replaced"));
    }
  }

  std::map<std::string, Nanos> replaced_;  // since when, by uid
  Nanos hindered_ = -kHour;                // when the store last failed at times
};

}  // namespace

std::unique_ptr<Checker> CleanReturns(World* world) {
  return std::make_unique<CleanReturnsChecker>(world);
}

}  // namespace cluster::sim
