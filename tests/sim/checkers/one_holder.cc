// Law 8: of what exists once, two never run at a time; and its name is given away only when the old
// one has ended for certain.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class OneHolderChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "one holder of an identity (law 8)"; }

  void OnContainer(const ContainerFact& fact) override {
    // Names of other pods are made up, and never twice.
    const std::string identity = absl::StrCat(fact.name_space, "/", fact.pod);
    auto& holders = running_[identity];
    const std::string holder = absl::StrCat(fact.uid, " on ", fact.node);
    if (!fact.started) {
      holders.erase(holder);
      return;
    }
    holders.insert(holder);
    if (holders.size() > 1) {
      Fail(absl::StrCat(identity, " runs twice: as ", *holders.begin(), " and as ",
                        *std::next(holders.begin())));
    }
  }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.before == nullptr || !change.before->object.has_pod()) continue;
      const v1::Pod& before = change.before->object.pod();
      const bool gone =
          change.after == nullptr || Meta(change.after->object).uid() != before.metadata().uid();
      if (!gone || OwnerOf(before.metadata(), "StatefulSet") == nullptr) continue;
      Node* const node = world_->FindNode(before.spec().node_name());
      if (node == nullptr) continue;
      if (node->machine()->running().contains({before.metadata().uid(), "main"})) {
        Fail(absl::StrCat("the name of ", before.metadata().name(), " is free, and it runs on ",
                          node->name()));
      }
    }
  }

 private:
  std::map<std::string, std::set<std::string>> running_;  // by identity
};

}  // namespace

std::unique_ptr<Checker> OneHolder(World* world) {
  return std::make_unique<OneHolderChecker>(world);
}

}  // namespace cluster::sim
