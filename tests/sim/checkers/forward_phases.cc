// Law 2: phases only move forward, and a pod that ended stays as it ended; restart counts grow; how
// an instance of a container ended never changes (I7). A pod is bound once.
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"

namespace cluster::sim {
namespace {

class ForwardPhasesChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "phases move forward (law 2)"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after == nullptr || !change.after->object.has_pod()) {
        if (change.before != nullptr && change.before->object.has_pod()) {
          ends_.erase(Meta(change.before->object).uid());
        }
        continue;
      }
      const v1::Pod& after = change.after->object.pod();
      if (change.before != nullptr && Meta(change.before->object).uid() == after.metadata().uid()) {
        Compare(change.after->key, change.before->object.pod(), after);
      }
      for (const v1::ContainerStatus& container : after.status().container_statuses()) {
        NoteEnd(change.after->key, after, container, container.state(), container.restart_count());
      }
    }
  }

 private:
  void Compare(const std::string& key, const v1::Pod& before, const v1::Pod& after) {
    const v1::PodPhase was = before.status().phase();
    const v1::PodPhase is = after.status().phase();
    if (IsOver(before) ? is != was : is < was) {
      Fail(absl::StrCat(key, " went from ", v1::PodPhase_Name(was), " to ", v1::PodPhase_Name(is)));
    }
    if (!before.spec().node_name().empty() &&
        before.spec().node_name() != after.spec().node_name()) {
      Fail(absl::StrCat(key, " went from ", before.spec().node_name(), " to \"",
                        after.spec().node_name(), "\""));
    }
    if (before.metadata().has_deletion_timestamp() && !after.metadata().has_deletion_timestamp()) {
      Fail(absl::StrCat(key, " is not being deleted any more"));
    }
    for (const v1::ContainerStatus& old : before.status().container_statuses()) {
      bool found = false;
      for (const v1::ContainerStatus& now : after.status().container_statuses()) {
        if (now.name() != old.name()) continue;
        found = true;
        if (now.restart_count() < old.restart_count()) {
          Fail(absl::StrCat(key, " counts ", now.restart_count(), " restarts after ",
                            old.restart_count()));
        }
      }
      if (!found) Fail(absl::StrCat(key, " has forgotten its container ", old.name()));
    }
  }

  void NoteEnd(const std::string& key, const v1::Pod& pod, const v1::ContainerStatus& container,
               const v1::ContainerState& state, int count) {
    if (!state.has_terminated()) return;
    const int code = state.terminated().exit_code();
    auto& ends = ends_[pod.metadata().uid()];
    const auto [found, added] =
        ends.try_emplace({container.name(), count, container.container_id()}, code);
    if (!added && found->second != code) {
      Fail(absl::StrCat(key, "/", container.name(), " ended with ", found->second,
                        " and now is said to have ended with ", code));
    }
  }

  // By pod; of each instance the exit code that was stored first.
  std::map<std::string, std::map<std::tuple<std::string, int, std::string>, int>> ends_;
};

}  // namespace

std::unique_ptr<Checker> ForwardPhases(World* world) {
  return std::make_unique<ForwardPhasesChecker>(world);
}

}  // namespace cluster::sim
