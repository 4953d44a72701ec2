// Law 5: a container ends because its process does, or because somebody wants it to, never because
// an agent or a controller died; and how it ended is known as it was.
#include <map>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class TrueEndsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "containers outlive their agent (law 5)"; }

  void OnContainer(const ContainerFact& fact) override {
    const EntryPtr entry = truth().FindUid(fact.uid);
    const bool known = entry != nullptr && entry->object.has_pod();
    if (fact.started) {
      if (!known) return;  // it was deleted this moment; Rest finds what stays
      const v1::Pod& pod = entry->object.pod();
      if (pod.spec().node_name() != fact.node) {
        Fail(absl::StrCat(fact.node, " starts ", fact.pod, ", which is bound to \"",
                          pod.spec().node_name(), "\""));
      }
      if (IsOver(pod))
        Fail(absl::StrCat(fact.node, " starts a container of ", fact.pod, ", which is over"));
      return;
    }
    const bool asked = fact.cause == EndCause::kSignal || fact.cause == EndCause::kKill ||
                       fact.cause == EndCause::kRemoved;
    if (!asked || !known) return;
    const v1::Pod& pod = entry->object.pod();
    if (HasHadItsTime(pod)) return;
    if (IsActive(pod) && pod.spec().node_name() == fact.node && !fact.exists_once) {
      Fail(absl::StrCat("the agent of ", fact.node, " ended a container of ", fact.pod,
                        ", which nobody asked for"));
    }
  }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after == nullptr || !change.after->object.has_pod()) continue;
      const v1::Pod& pod = change.after->object.pod();
      if (pod.spec().has_active_deadline_seconds() && !pod.spec().node_name().empty()) {
        bound_.emplace(pod.metadata().uid(), world_->now());
      }
      Node* const node = world_->FindNode(pod.spec().node_name());
      if (node == nullptr) continue;
      for (const v1::ContainerStatus& container : pod.status().container_statuses()) {
        if (container.state().has_terminated()) {
          Compare(pod, container.name(), container.restart_count(), container.state().terminated(),
                  *node->machine());
        }
      }
    }
  }

 private:
  // A node's clock may run a little fast.
  bool HasHadItsTime(const v1::Pod& pod) const {
    const auto bound = bound_.find(pod.metadata().uid());
    return bound != bound_.end() &&
           world_->now() - bound->second > pod.spec().active_deadline_seconds() * kSecond * 49 / 50;
  }

  void Compare(const v1::Pod& pod, const std::string& container, int attempt,
               const v1::ContainerStateTerminated& end, const Machine& machine) {
    const Machine::Truth* const known = machine.FindEnd(pod.metadata().uid(), container, attempt);
    if (known == nullptr) {
      // One that never ran is told as ended when its pod ends.
      if (machine.running().contains({pod.metadata().uid(), container})) {
        Fail(absl::StrCat(pod.metadata().name(), "/", container,
                          " is said to have ended, and runs"));
      }
      return;
    }
    if (known->cause == EndCause::kPower) return;  // nobody saw how
    if (known->exit_code != end.exit_code()) {
      Fail(absl::StrCat(pod.metadata().name(), "/", container, "#", attempt, " ended with ",
                        known->exit_code, " and is said to have ended with ", end.exit_code()));
    }
  }

  std::map<std::string, Nanos> bound_;  // by uid, of pods with a deadline
};

}  // namespace

std::unique_ptr<Checker> TrueEnds(World* world) { return std::make_unique<TrueEndsChecker>(world); }

}  // namespace cluster::sim
