// Nothing is done where nothing has changed: every write changes its object, and a node is told of
// a pod again only when somebody else than itself has changed it.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "proto/schema/stable_bytes.h"
#include "tests/sim/checkers/all.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class NoIdleWorkChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "no work without a change"; }

  void OnCommit(const Commit& commit) override {
    bool creates = false;
    for (const Change& change : commit.changes) creates = creates || change.before == nullptr;
    for (const Change& change : commit.changes) {
      // So that two creations never both get the last of it.
      if (creates && change.after != nullptr && change.after->object.has_resource_quota()) continue;
      if (change.before != nullptr && change.after != nullptr &&
          Content(change.before->object) == Content(change.after->object)) {
        Fail(absl::StrCat(change.after->key, " was written and is as it was"));
      }
      if (change.before != nullptr && change.before->object.has_pod()) {
        const std::string& uid = Meta(change.before->object).uid();
        if (change.after == nullptr || Meta(change.after->object).uid() != uid) epochs_.erase(uid);
      }
      if (change.after == nullptr || !change.after->object.has_pod()) continue;
      const std::string& uid = Meta(change.after->object).uid();
      if (!commit.others.contains("podreports/" + uid)) epochs_[uid].insert(commit.rev);
    }
  }

  void OnTold(const std::string& node, const v1::ControllerMessage& message) override {
    for (const v1::Assignment& each : message.assignments().assignments()) {
      const auto found = epochs_.find(each.pod().metadata().uid());
      if (found == epochs_.end() || found->second.contains(each.epoch())) continue;
      Fail(absl::StrCat(node, " is told of ", each.pod().metadata().name(), " as of revision ",
                        each.epoch(), ", which was its own report"));
    }
  }

 private:
  static std::string Content(v1::Object object) {
    MutableMeta(&object)->clear_resource_version();
    return StableBytes(object);
  }

  // By uid of the pod: the revisions at which another one than its node wrote it.
  std::map<std::string, std::set<store::Rev>> epochs_;
};

}  // namespace

std::unique_ptr<Checker> NoIdleWork(World* world) {
  return std::make_unique<NoIdleWorkChecker>(world);
}

}  // namespace cluster::sim
