// Law 9: requests never exceed what a node has; no range of addresses is given twice.
#include <map>

#include "absl/strings/str_cat.h"

#include "proto/schema/scalars.h"
#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class RoomChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "nothing is over-committed (law 9)"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after == nullptr) continue;
      if (change.after->object.has_node()) CheckRanges(change.after->object.node());
      if (!change.after->object.has_pod()) continue;
      const v1::Pod& pod = change.after->object.pod();
      const bool bound_now =
          !pod.spec().node_name().empty() &&
          (change.before == nullptr ||
           change.before->object.pod().spec().node_name() != pod.spec().node_name());
      if (!bound_now) continue;
      CheckNode(pod.spec().node_name());
      CheckClaims(pod);
    }
  }

 private:
  void CheckNode(const std::string& name) {
    const EntryPtr node = truth().Find(v1::Object::kNode, "", name);
    if (node == nullptr) return;
    int64_t requested = 0;
    int64_t pods = 0;
    for (const EntryPtr& entry : truth().PodsOnNode(name)) {
      if (IsOver(entry->object.pod())) continue;
      ++pods;
      for (const v1::Container& container : entry->object.pod().spec().containers()) {
        requested += Milli(container.resources().requests(), "cpu");
      }
    }
    const auto& has = node->object.node().status().allocatable();
    if (requested > Milli(has, "cpu")) {
      Fail(absl::StrCat(name, " has ", Milli(has, "cpu"),
                        " thousandths of a cpu, and its pods request ", requested));
    }
    if (pods * 1000 > Milli(has, "pods")) {
      Fail(absl::StrCat(name, " has ", pods, " pods, and room for ", has.at("pods")));
    }
  }

  // Data stays where it is.
  void CheckClaims(const v1::Pod& pod) {
    for (const v1::Volume& volume : pod.spec().volumes()) {
      if (!volume.has_persistent_volume_claim()) continue;
      const EntryPtr claim =
          truth().Find(v1::Object::kPersistentVolumeClaim, pod.metadata().namespace_(),
                       volume.persistent_volume_claim().claim_name());
      if (claim == nullptr) continue;
      const std::string& node = claim->object.persistent_volume_claim().status().node_name();
      if (node != pod.spec().node_name()) {
        Fail(absl::StrCat(pod.metadata().name(), " is bound to ", pod.spec().node_name(),
                          ", and its claim to \"", node, "\""));
      }
    }
  }

  template <typename Amounts>
  static int64_t Milli(const Amounts& amounts, const char* resource) {
    const auto found = amounts.find(resource);
    return found == amounts.end() ? 0 : QuantityMilli(found->second).value();
  }

  void CheckRanges(const v1::Node& node) {
    const std::string& range = node.spec().pod_cidr();
    if (range.empty()) return;
    const auto [owner, added] = ranges_.try_emplace(range, node.metadata().name());
    if (!added && owner->second != node.metadata().name()) {
      Fail(absl::StrCat(owner->second, " and ", node.metadata().name(), " both have ", range));
    }
  }

  std::map<std::string, std::string> ranges_;  // node by range
};

}  // namespace

std::unique_ptr<Checker> Room(World* world) { return std::make_unique<RoomChecker>(world); }

}  // namespace cluster::sim
