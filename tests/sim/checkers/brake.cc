// Where very many nodes are lost at once their pods are replaced slowly, and where most of them
// are, not at all: then it is the controller that is cut off, most likely (I13).
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

constexpr size_t kSmallest = 10;  // clusters with fewer nodes have no brake
constexpr int kMost = 55;         // percent lost, from which on nothing is replaced

class BrakeChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "replacement slows down (I13)"; }

  void OnTick() override { unreachable_.Set(world_->now(), Unreachable()); }

  // The next one knows nothing of what this one did.
  void OnControllerGone() override { replaced_.clear(); }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      const Entry& entry = change.after != nullptr ? *change.after : *change.before;
      if (!entry.object.has_node()) continue;
      nodes_.Set(world_->now(), static_cast<int>(truth().All(v1::Object::kNode).size()));
    }
    for (const Change& change : commit.changes) {
      if (change.before == nullptr || !change.before->object.has_pod()) continue;
      const v1::Pod& before = change.before->object.pod();
      if (before.spec().node_name().empty() || before.status().reason() == "NodeLost") continue;
      const bool given_up = change.after != nullptr && change.after->object.has_pod() &&
                            change.after->object.pod().status().reason() == "NodeLost";
      // A name that exists once is given free by deletion.
      const bool freed = change.after == nullptr && !IsGoing(before.metadata()) &&
                         IsActive(before) && OwnerOf(before.metadata(), "StatefulSet") != nullptr &&
                         IsLost(before.spec().node_name()) &&
                         world_->AskedFor(commit.write_id).empty();
      if (given_up || freed) Replaced(before.spec().node_name(), before.metadata().name());
    }
  }

 private:
  bool IsLost(const std::string& name) const {
    const EntryPtr node = truth().Find(v1::Object::kNode, "", name);
    return node != nullptr && !Holds(node->object.node().status().conditions(), "Ready");
  }

  // Percent of the nodes that are stored as lost and that nobody hears of either: one that is back
  // and has still something to end counts as heard of.
  int Unreachable() const {
    int lost = 0;
    for (const auto& node : world_->nodes()) {
      const Link* link = world_->network()->link(node->name());
      const bool silent = node->agent() == nullptr || !link->up || !link->down;
      if (silent && IsLost(node->name())) ++lost;
    }
    return lost * 100 / static_cast<int>(world_->nodes().size());
  }

  void Replaced(const std::string& node, const std::string& pod) {
    const Nanos now = world_->now();
    if (nodes_.Lowest(now - kMemory) < static_cast<int>(kSmallest)) return;
    // What it decides on it has seen some seconds before.
    unreachable_.Set(now, Unreachable());
    const int lost = unreachable_.Lowest(now - 2 * kFineMemory);
    if (lost >= kMost) {
      Fail(absl::StrCat(pod, " is replaced, and ", lost, " % of the nodes are lost"));
    }
    if (!IsLost(node)) return;
    const auto [known, added] = replaced_.try_emplace(node, now);
    if (!added && known->second > now - kMemory) return;
    known->second = now;
    // Five at once, then one every ten seconds.
    for (const auto& [first, begin] : replaced_) {
      int count = 0;
      for (const auto& [other, at] : replaced_) count += at >= begin && at <= now ? 1 : 0;
      const int most = 5 + static_cast<int>((now - begin) / (9 * kSecond)) + 1;
      if (count > most) {
        Fail(absl::StrCat("pods of ", count, " nodes are replaced within ", (now - begin) / kSecond,
                          " s, and those of ", most, " may be"));
      }
    }
  }

  std::map<std::string, Nanos> replaced_;  // when it began, by node
  RecentNumber unreachable_;               // percent of the nodes
  RecentNumber nodes_;
};

}  // namespace

std::unique_ptr<Checker> Brake(World* world) { return std::make_unique<BrakeChecker>(world); }

}  // namespace cluster::sim
