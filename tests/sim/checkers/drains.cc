// A pod that was behind a service is told to end when no node sends it new connections any more;
// and in the end every node's services lead to the pods that are ready, and nowhere else.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class DrainsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "out of every node's routes before the end"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after == nullptr || !change.after->object.has_pod()) continue;
      const v1::ObjectMeta& meta = Meta(change.after->object);
      if (IsGoing(meta)) asked_.try_emplace(meta.uid(), world_->now());
    }
  }

  void OnRest() override {
    for (const auto& [key, entry] : truth().All(v1::Object::kService)) {
      for (const auto& node : world_->nodes()) CheckRoutes(*node, entry->object.service());
    }
  }

  void OnTold(const std::string& node, const v1::ControllerMessage& message) override {
    if (message.has_welcome() || message.has_beat_ack()) heard_of_[node] = world_->now();
    for (const v1::Assignment& assignment : message.assignments().assignments()) {
      const v1::Pod& pod = assignment.pod();
      const v1::ObjectMeta& meta = pod.metadata();
      if (IsGoing(meta) && told_.insert(meta.uid()).second) CheckEnd(pod);
    }
  }

 private:
  void CheckEnd(const v1::Pod& pod) {
    const v1::ObjectMeta& meta = pod.metadata();
    // Nobody has time, or nobody is there.
    if (meta.deletion_grace_period_seconds() == 0 || pod.status().pod_ip().empty()) return;
    if (IsOver(pod)) return;
    const auto& sessions = world_->climate().controller.sessions;
    const auto asked = asked_.find(meta.uid());
    // By the controller's clock, which may be a fast one.
    const absl::Duration patience = sessions.drain_patience * (1 - 2 * world_->climate().skew);
    if (asked == asked_.end() ||
        world_->now() >= asked->second + absl::ToInt64Nanoseconds(patience)) {
      return;
    }
    for (const auto& node : world_->nodes()) {
      if (MayBeLost(*node) || !LeadsTo(*node, pod)) continue;
      Fail(absl::StrCat(meta.name(), " is told to end, and ", node->name(),
                        " still sends it new connections"));
    }
  }

  static bool Selects(const v1::ServiceSpec& spec, const v1::ObjectMeta& meta) {
    return std::all_of(spec.selector().begin(), spec.selector().end(), [&](const auto& wanted) {
      const auto label = meta.labels().find(wanted.first);
      return label != meta.labels().end() && label->second == wanted.second;
    });
  }

  void CheckRoutes(Node& node, const v1::Service& service) {
    std::set<std::string> expected;
    for (const auto& [key, entry] : truth().All(v1::Object::kPod)) {
      const v1::Pod& pod = entry->object.pod();
      if (Selects(service.spec(), pod.metadata()) && IsReady(pod) && IsActive(pod)) {
        expected.insert(absl::StrCat(pod.metadata().name(), " ", pod.status().pod_ip()));
      }
    }
    const auto& all = node.machine()->routes().all;
    const auto found =
        all.find(absl::StrCat(service.metadata().namespace_(), "/", service.metadata().name()));
    if (found == all.end()) {
      return Fail(absl::StrCat(node.name(), " knows no service ", service.metadata().name()));
    }
    std::set<std::string> led;
    for (const v1::Backend& backend : found->second->ports(0).backends()) {
      led.insert(absl::StrCat(backend.pod(), " ", backend.address()));
    }
    if (led == expected) return;
    Fail(absl::StrCat("service ", service.metadata().name(), " leads to ", led.size(), " pods on ",
                      node.name(), ", and ", expected.size(), " are ready"));
  }

  // Nobody waits for a node that was not heard of for a lease.
  bool MayBeLost(const Node& node) const {
    const EntryPtr entry = truth().Find(v1::Object::kNode, "", node.name());
    if (entry == nullptr || !Holds(entry->object.node().status().conditions(), "Ready"))
      return true;
    const auto heard = heard_of_.find(node.name());
    const Nanos ttl = absl::ToInt64Nanoseconds(world_->climate().controller.sessions.ttl());
    return heard == heard_of_.end() || heard->second + ttl < world_->now();
  }

  static bool LeadsTo(Node& node, const v1::Pod& pod) {
    for (const auto& [key, route] : node.machine()->routes().all) {
      if (route->namespace_() != pod.metadata().namespace_()) continue;
      for (const v1::ServicePortRoute& port : route->ports()) {
        for (const v1::Backend& backend : port.backends()) {
          if (backend.pod() == pod.metadata().name() &&
              backend.address() == pod.status().pod_ip()) {
            return true;
          }
        }
      }
    }
    return false;
  }

  std::map<std::string, Nanos> asked_;     // when its deletion was committed, by uid
  std::map<std::string, Nanos> heard_of_;  // when the node was last answered
  std::set<std::string> told_;             // uids
};

}  // namespace

std::unique_ptr<Checker> Drains(World* world) { return std::make_unique<DrainsChecker>(world); }

}  // namespace cluster::sim
