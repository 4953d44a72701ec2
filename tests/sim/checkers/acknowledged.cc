// Law 4: what a user was told to be done is in the store, once, and stays there over every crash.
#include <map>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class AcknowledgedChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "acknowledged means durable (law 4)"; }

  void OnCommit(const Commit& commit) override {
    if (commit.rev != last_ + 1) {
      Fail(absl::StrCat("revision ", commit.rev, " follows ", last_));
    }
    last_ = commit.rev;
    if (commit.write_id.empty()) return;
    const auto [found, added] = written_.try_emplace(commit.write_id, commit.rev);
    if (!added) {
      Fail(absl::StrCat("one write was applied twice, at ", found->second, " and ", commit.rev));
    }
  }

  void OnAnswer(const Answer& answer) override {
    if (!answer.ok) return;
    if (answer.rev > last_) {
      Fail(absl::StrCat(answer.what, " was acknowledged at revision ", answer.rev,
                        ", and the store is at ", last_));
    }
    Controller* const controller = world_->controller();
    if (controller != nullptr && controller->cache()->revision() < answer.rev) {
      Fail(absl::StrCat(answer.what, " was acknowledged at revision ", answer.rev,
                        ", which the controller does not show yet"));
    }
    const auto found = written_.find(answer.write_id);
    if (found == written_.end() && answer.wrote) {
      Fail(absl::StrCat(answer.what, " was acknowledged and never written"));
    }
    if (found != written_.end() && found->second > answer.rev) {
      Fail(absl::StrCat(answer.what, " was acknowledged at ", answer.rev, ", before its write at ",
                        found->second));
    }
  }

 private:
  store::Rev last_ = 0;
  std::map<std::string, store::Rev> written_;
};

}  // namespace

std::unique_ptr<Checker> Acknowledged(World* world) {
  return std::make_unique<AcknowledgedChecker>(world);
}

}  // namespace cluster::sim
