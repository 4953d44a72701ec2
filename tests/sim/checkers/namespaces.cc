// A ResourceQuota lets nothing be made that exceeds it, and keeps nothing back that does not; a
// namespace goes with all that is in it, and not before.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "proto/schema/kinds.h"
#include "proto/schema/scalars.h"
#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/manifests.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

constexpr int kNone = 1'000'000;

class NamespacesChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "namespaces and their quotas"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      const Entry& entry = change.after != nullptr ? *change.after : *change.before;
      if (entry.object.has_resource_quota()) NoteQuota(change);
      if (entry.object.has_namespace_() && change.after == nullptr) CheckGone(entry);
    }
    for (const Change& change : commit.changes) {
      if (change.before == nullptr && change.after->object.has_pod()) CheckBirth(*change.after);
    }
  }

  void OnRest() override {
    const EntryPtr space = truth().Find(v1::Object::kNamespace, "", kGuests);
    if (space == nullptr) return CheckEmpty("rest");
    if (IsGoing(Meta(space->object))) return Fail(space->key + " never goes");
    const EntryPtr visit = truth().Find(v1::Object::kDeployment, kGuests, "visit");
    if (visit == nullptr) return;
    const EntryPtr quota = truth().Find(v1::Object::kResourceQuota, kGuests, "quota");
    // Without their defaults pods say nothing of what the quota is about, and are refused.
    const bool limits = truth().Find(v1::Object::kLimitRange, kGuests, "limits") != nullptr;
    if (quota == nullptr || !limits) return;
    const v1::Deployment& deployment = visit->object.deployment();
    const auto& hard = quota->object.resource_quota().spec().hard();
    const int pods = static_cast<int>(QuantityValue(hard.at("pods")).value());
    const int by_cpu = static_cast<int>(QuantityMilli(hard.at("requests.cpu")).value() / 100);
    const int least = std::min({deployment.spec().replicas(), pods, by_cpu});
    int count = 0;
    int waiting = 0;
    for (const auto& [key, entry] : truth().All(v1::Object::kPod)) {
      if (Meta(entry->object).namespace_() != kGuests || IsOver(entry->object.pod())) continue;
      ++count;
      if (entry->object.pod().spec().node_name().empty()) ++waiting;
    }
    if (deployment.status().ready_replicas() + waiting < least) {
      Fail(absl::StrCat(visit->key, " has ", deployment.status().ready_replicas(),
                        " ready pods, and could have ", least));
    }
    const auto& used = quota->object.resource_quota().status().used();
    const auto said = used.find("pods");
    if (said == used.end() || QuantityValue(said->second).value() != count) {
      Fail(absl::StrCat(quota->key, " says that ", said == used.end() ? "no" : said->second,
                        " pods are there, and ", count, " are"));
    }
  }

 private:
  void NoteQuota(const Change& change) {
    int pods = kNone;
    int cpu = kNone;
    if (change.after != nullptr) {
      const auto& hard = change.after->object.resource_quota().spec().hard();
      pods = static_cast<int>(QuantityValue(hard.at("pods")).value());
      cpu = static_cast<int>(QuantityMilli(hard.at("requests.cpu")).value());
    }
    if (!pods_.known()) {
      pods_.Set(world_->now(), kNone);
      cpu_.Set(world_->now(), kNone);
    }
    pods_.Set(world_->now(), pods);
    cpu_.Set(world_->now(), cpu);
  }

  // What was made before the quota counts too.
  void CheckBirth(const Entry& entry) {
    if (Meta(entry.object).namespace_() != kGuests || !pods_.known()) return;
    int count = 0;
    for (const auto& [key, other] : truth().All(v1::Object::kPod)) {
      if (Meta(other->object).namespace_() == kGuests && !IsOver(other->object.pod())) ++count;
    }
    int64_t cpu = 0;
    for (const auto& [key, other] : truth().All(v1::Object::kPod)) {
      if (Meta(other->object).namespace_() != kGuests || IsOver(other->object.pod())) continue;
      const auto& requests = other->object.pod().spec().containers(0).resources().requests();
      const auto found = requests.find("cpu");
      if (found != requests.end()) cpu += QuantityMilli(found->second).value();
    }
    if (cpu > cpu_.Highest(SeenSince(*world_))) {
      Fail(absl::StrCat(entry.key, " is made, which makes ", cpu, "m of cpu where ",
                        cpu_.Highest(SeenSince(*world_)), "m may be"));
    }
    const int most = pods_.Highest(SeenSince(*world_));
    if (count > most) {
      Fail(absl::StrCat(entry.key, " is made, which makes ", count, " pods where ", most,
                        " may be"));
    }
  }

  void CheckGone(const Entry& entry) {
    if (Meta(entry.object).name() == kGuests) CheckEmpty(entry.key + " is gone");
  }

  void CheckEmpty(const std::string& when) {
    for (const Kind& kind : AllKinds()) {
      if (!kind.namespaced || kind.object_case == v1::Object::kEvent) continue;
      for (const auto& [key, entry] : truth().All(kind.object_case)) {
        if (Meta(entry->object).namespace_() == kGuests) {
          Fail(absl::StrCat(key, " is there, and its namespace is not (", when, ")"));
        }
      }
    }
  }

  RecentNumber pods_;  // that the quota lets be
  RecentNumber cpu_;   // that it lets them request, in thousandths
};

}  // namespace

std::unique_ptr<Checker> Namespaces(World* world) {
  return std::make_unique<NamespacesChecker>(world);
}

}  // namespace cluster::sim
