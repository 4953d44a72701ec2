// A Deployment goes back by itself to a revision that has served, and only where the other one does
// not; pods have the data of their revision, and copies of data are there as long as they are used.
#include <map>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/manifests.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

const std::string& ImageOf(const v1::PodTemplateSpec& pods) {
  return pods.spec().containers(0).image();
}

bool IsConfigured(const v1::PodTemplateSpec& pods) {
  return pods.spec().containers(0).env_from_size() > 0;
}

class RevisionsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "revisions and their data"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after == nullptr || !change.after->object.has_deployment()) continue;
      const v1::Deployment& after = change.after->object.deployment();
      NoteComplete(after);
      if (change.before == nullptr ||
          ImageOf(after.spec().template_()) !=
              ImageOf(change.before->object.deployment().spec().template_())) {
        began_[after.metadata().uid()].push_back(world_->now());
      }
      if (change.before == nullptr) continue;
      const v1::Deployment& before = change.before->object.deployment();
      const bool back = Holds(after.status().conditions(), "RolledBack") &&
                        after.status().rolled_back_to() != before.status().rolled_back_to();
      if (back) CheckBack(before, after);
    }
  }

  void OnRest() override {
    CheckCopies();
    for (const auto& [key, entry] : truth().All(v1::Object::kDeployment)) {
      const v1::Deployment& deployment = entry->object.deployment();
      std::set<std::string> owners;
      for (const EntryPtr& set :
           truth().OwnedBy(v1::Object::kReplicaSet, deployment.metadata().uid())) {
        owners.insert(Meta(set->object).uid());
      }
      CheckData(*entry, deployment.spec().template_(), owners);
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kDaemonSet)) {
      CheckData(*entry, entry->object.daemon_set().spec().template_(), {Meta(entry->object).uid()});
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kStatefulSet)) {
      const v1::StatefulSetSpec& spec = entry->object.stateful_set().spec();
      if (spec.update_strategy().rolling_update().partition() > 0) continue;
      CheckData(*entry, spec.template_(), {Meta(entry->object).uid()});
    }
  }

 private:
  void NoteComplete(const v1::Deployment& deployment) {
    const v1::DeploymentStatus& status = deployment.status();
    const int wanted = deployment.spec().replicas();
    if (status.observed_generation() == deployment.metadata().generation() &&
        status.updated_replicas() == wanted && status.replicas() == wanted &&
        status.available_replicas() == wanted) {
      complete_[deployment.metadata().uid()].insert(ImageOf(deployment.spec().template_()));
    }
  }

  void CheckBack(const v1::Deployment& before, const v1::Deployment& after) {
    const std::string& uid = after.metadata().uid();
    const std::string& from = ImageOf(before.spec().template_());
    const std::string& to = ImageOf(after.spec().template_());
    if (!complete_[uid].contains(to)) {
      Fail(absl::StrCat(after.metadata().name(), " goes back to ", to, ", which never served"));
    }
    const v1::DeploymentStatus& status = before.status();
    if (status.observed_generation() == before.metadata().generation() &&
        status.replicas() == before.spec().replicas() &&
        status.available_replicas() == before.spec().replicas() &&
        status.updated_replicas() == before.spec().replicas()) {
      Fail(absl::StrCat(after.metadata().name(), " goes back from ", from, ", which serves"));
    }
    // The return itself is the last change of the template.
    const std::vector<Nanos>& began = began_[uid];
    const Nanos age = world_->now() - began[began.size() - (from == to ? 1 : 2)];
    if (world_->fine() && !IsFailing(before) &&
        age < before.spec().progress_deadline_seconds() * kSecond / 100 * 98 - 2 * kSecond) {
      Fail(absl::StrCat(after.metadata().name(), " goes back from ", from, " after ", age / kSecond,
                        " s, and nothing of it has failed"));
    }
  }

  // A pod of the newest revision has been started again and again.
  bool IsFailing(const v1::Deployment& deployment) const {
    const std::string& image = ImageOf(deployment.spec().template_());
    int failed = 0;
    for (const EntryPtr& set :
         truth().OwnedBy(v1::Object::kReplicaSet, deployment.metadata().uid())) {
      if (ImageOf(set->object.replica_set().spec().template_()) != image) continue;
      for (const EntryPtr& pod : truth().OwnedBy(v1::Object::kPod, Meta(set->object).uid())) {
        if (pod->object.pod().status().phase() == v1::POD_PHASE_FAILED) ++failed;
        for (const auto& container : pod->object.pod().status().container_statuses()) {
          if (container.restart_count() >= 5) return true;
        }
      }
    }
    return failed >= 5;
  }

  void CheckCopies() {
    std::string used;
    for (const auto kind : {v1::Object::kReplicaSet, v1::Object::kControllerRevision}) {
      for (const auto& [key, entry] : truth().All(kind)) {
        const auto& notes = Meta(entry->object).annotations();
        const auto data = notes.find("rollout.cluster.v1/data");
        if (data != notes.end()) absl::StrAppend(&used, data->second, " ");
      }
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kConfigMap)) {
      const v1::ObjectMeta& meta = Meta(entry->object);
      if (!meta.labels().contains("rollout.cluster.v1/copy")) continue;
      if (!absl::StrContains(used, meta.name())) Fail(key + " is a copy that nothing uses");
    }
  }

  // All pods have the same data: that which there is, unless it went back to other data.
  void CheckData(const Entry& entry, const v1::PodTemplateSpec& pods,
                 const std::set<std::string>& owners) {
    if (!IsConfigured(pods)) return;
    const EntryPtr settings = truth().Find(v1::Object::kConfigMap, "default", "settings");
    if (settings == nullptr) return;
    const bool pinned = Meta(entry.object).annotations().contains("rollout.cluster.v1/pinned-data");
    // A rollout whose pods find no place goes no further.
    for (const auto& [key, pod] : truth().All(v1::Object::kPod)) {
      for (const v1::OwnerReference& owner : Meta(pod->object).owner_references()) {
        if (owners.contains(owner.uid()) && pod->object.pod().spec().node_name().empty()) return;
      }
    }
    std::string wanted = pinned ? "" : settings->object.config_map().data().at(kSetting);
    for (const auto& node : world_->nodes()) {
      for (const auto& [id, running] : node->machine()->running()) {
        const EntryPtr pod = truth().FindUid(id.first);
        if (pod == nullptr || !pod->object.has_pod()) continue;
        bool its = false;
        for (const v1::OwnerReference& owner : Meta(pod->object).owner_references()) {
          its = its || owners.contains(owner.uid());
        }
        if (!its) continue;
        const std::string& has = running.fact.setting;
        if (wanted.empty()) wanted = has;
        if (has == wanted) continue;
        Fail(absl::StrCat(pod->key, " of ", entry.key, " has the data \"", has, "\", and not \"",
                          wanted, "\""));
      }
    }
  }

  std::map<std::string, std::vector<Nanos>> began_;        // changes of the template, by uid
  std::map<std::string, std::set<std::string>> complete_;  // images, by uid of the Deployment
};

}  // namespace

std::unique_ptr<Checker> Revisions(World* world) {
  return std::make_unique<RevisionsChecker>(world);
}

}  // namespace cluster::sim
