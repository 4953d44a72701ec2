// Law 1: `spec` is written by users and the controller, `status` by the node that runs the pod.
#include "absl/strings/str_cat.h"

#include "proto/schema/stable_bytes.h"
#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"

namespace cluster::sim {
namespace {

class OneWriterChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "one writer (law 1)"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.before == nullptr || change.after == nullptr) continue;
      if (!change.after->object.has_pod()) continue;
      const v1::Pod& before = change.before->object.pod();
      const v1::Pod& after = change.after->object.pod();
      if (before.metadata().uid() != after.metadata().uid()) continue;
      // A node's report is stored together with its record.
      const bool report = commit.others.contains("podreports/" + after.metadata().uid());
      if (report && !SameMessage(before.spec(), after.spec())) {
        Fail(absl::StrCat("a report changed the spec of ", change.after->key));
      }
      if (report && !before.metadata().has_deletion_timestamp() &&
          after.metadata().has_deletion_timestamp()) {
        Fail(absl::StrCat("a report began the deletion of ", change.after->key));
      }
      if (!report && Containers(before) != Containers(after)) {
        Fail(absl::StrCat("another one than its node wrote of the containers of ",
                          change.after->key));
      }
    }
  }

 private:
  static std::string Containers(const v1::Pod& pod) {
    v1::PodStatus status;
    *status.mutable_container_statuses() = pod.status().container_statuses();
    status.set_pod_ip(pod.status().pod_ip());
    return StableBytes(status);
  }
};

}  // namespace

std::unique_ptr<Checker> OneWriter(World* world) {
  return std::make_unique<OneWriterChecker>(world);
}

}  // namespace cluster::sim
