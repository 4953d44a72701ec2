// The objects of the fake: writes, reads and watches.
#include "fake_cluster.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

#include "proto/schema/kinds.h"
#include "proto/schema/selector.h"
#include "proto/validate/validate.h"

namespace cluster::cli {
namespace {

grpc::Status NotFound(const std::string& kind, const std::string& name) {
  return {grpc::StatusCode::NOT_FOUND,
          absl::StrCat(FindKind(kind)->plural, " \"", name, "\" not found")};
}

// Equal but for what the system writes.
bool SameWish(v1::Object a, v1::Object b) {
  for (v1::Object* object : {&a, &b}) {
    v1::ObjectMeta* meta = MutableMeta(object);
    meta->clear_resource_version();
    meta->clear_uid();
    meta->clear_generation();
    meta->clear_creation_timestamp();
  }
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

bool Selected(const v1::Object& object, const std::string& kind, const std::string& name_space,
              const LabelMatcher& labels, const FieldMatcher& fields) {
  return KindOf(object).name == kind &&
         (name_space.empty() || Meta(object).namespace_() == name_space) &&
         labels.Matches(Meta(object).labels()) && fields.Matches(object);
}

}  // namespace

void FakeCluster::Commit(v1::WatchEventType type, v1::Object object) {
  ++revision_;
  MutableMeta(&object)->set_resource_version(absl::StrCat(revision_));
  if (Meta(object).uid().empty()) MutableMeta(&object)->set_uid(absl::StrCat("uid-", ++next_uid_));
  if (type == v1::WATCH_EVENT_TYPE_DELETED) {
    objects_.erase(Key(object));
  } else {
    objects_[Key(object)] = object;
  }
  v1::WatchEvent event;
  event.set_type(type);
  *event.mutable_object() = std::move(object);
  event.set_revision(revision_);
  history_.push_back(std::move(event));
  changed_.SignalAll();
}

void FakeCluster::Put(v1::Object object) {
  const MutexLock lock(&mutex_);
  SetDefaults(&object);
  const auto found = objects_.find(Key(object));
  if (found != objects_.end()) MutableMeta(&object)->set_uid(Meta(found->second).uid());
  Commit(found == objects_.end() ? v1::WATCH_EVENT_TYPE_ADDED : v1::WATCH_EVENT_TYPE_MODIFIED,
         std::move(object));
}

void FakeCluster::Remove(const std::string& key) {
  const MutexLock lock(&mutex_);
  const auto found = objects_.find(key);
  if (found != objects_.end()) Commit(v1::WATCH_EVENT_TYPE_DELETED, found->second);
}

bool FakeCluster::Has(const std::string& key) {
  const MutexLock lock(&mutex_);
  return objects_.count(key) > 0;
}

v1::Object FakeCluster::Stored(const std::string& key) {
  const MutexLock lock(&mutex_);
  return objects_[key];
}

void FakeCluster::AwaitWatches(int count) {
  const MutexLock lock(&mutex_);
  while (watches_ < count) changed_.Wait(&mutex_);
}

void FakeCluster::AwaitDeletion(const std::string& key) {
  const MutexLock lock(&mutex_);
  while (!Meta(objects_[key]).has_deletion_timestamp()) changed_.Wait(&mutex_);
}

void FakeCluster::EndWatches(grpc::Status status) {
  const MutexLock lock(&mutex_);
  ++watch_era_;
  watch_end_ = std::move(status);
  changed_.SignalAll();
}

void FakeCluster::LoseNextAnswer() {
  const MutexLock lock(&mutex_);
  lose_answer_ = true;
}

void FakeCluster::ChangeBeforeNextWrite(const std::string& key) {
  const MutexLock lock(&mutex_);
  change_first_ = key;
}

int FakeCluster::writes() {
  const MutexLock lock(&mutex_);
  return writes_;
}

bool FakeCluster::Answered() { return !std::exchange(lose_answer_, false); }

const v1::Object* FakeCluster::Find(const std::string& kind, const std::string& name_space,
                                    const std::string& name) {
  const auto found = objects_.find(Key(*FindKind(kind), name_space, name));
  return found == objects_.end() ? nullptr : &found->second;
}

grpc::Status FakeCluster::Check(const v1::ApplyRequest& request, std::vector<v1::Object>* objects) {
  v1::Violations violations;
  for (int i = 0; i < request.objects_size(); ++i) {
    v1::Object& object = objects->emplace_back(request.objects(i));
    SetDefaults(&object);
    for (const FieldError& error : Validate(object)) {
      v1::Violation& violation = *violations.add_violations();
      violation.set_object(i);
      violation.set_field(error.field);
      violation.set_message(error.message);
    }
    const auto found = objects_.find(Key(object));
    const std::string& wanted = Meta(object).resource_version();
    if (found != objects_.end() && !wanted.empty() &&
        wanted != Meta(found->second).resource_version()) {
      return {grpc::StatusCode::ABORTED,
              absl::StrCat(DisplayName(object), " was changed meanwhile")};
    }
  }
  if (violations.violations().empty()) return grpc::Status::OK;
  return {grpc::StatusCode::INVALID_ARGUMENT, "the objects are not valid",
          violations.SerializeAsString()};
}

grpc::Status FakeCluster::Apply(grpc::ServerContext*, const v1::ApplyRequest* request,
                                v1::ApplyResponse* response) {
  const MutexLock lock(&mutex_);
  const auto known = answered_.find(request->write_id());
  if (known != answered_.end()) {
    *response = known->second;
    return grpc::Status::OK;
  }
  if (const auto other = objects_.find(std::exchange(change_first_, "")); other != objects_.end()) {
    Commit(v1::WATCH_EVENT_TYPE_MODIFIED, other->second);
  }
  std::vector<v1::Object> objects;
  if (grpc::Status status = Check(*request, &objects); !status.ok()) return status;
  for (v1::Object& object : objects) {
    const auto found = objects_.find(Key(object));
    v1::ApplyResult& result = *response->add_results();
    result.set_outcome(found == objects_.end()           ? v1::APPLY_OUTCOME_CREATED
                       : SameWish(found->second, object) ? v1::APPLY_OUTCOME_UNCHANGED
                                                         : v1::APPLY_OUTCOME_CONFIGURED);
    if (found != objects_.end()) MutableMeta(&object)->set_uid(Meta(found->second).uid());
    *result.mutable_object() = object;
    if (request->dry_run() || result.outcome() == v1::APPLY_OUTCOME_UNCHANGED) continue;
    ++writes_;
    Commit(found == objects_.end() ? v1::WATCH_EVENT_TYPE_ADDED : v1::WATCH_EVENT_TYPE_MODIFIED,
           object);
    *result.mutable_object() = objects_[Key(object)];
  }
  response->set_revision(revision_);
  answered_[request->write_id()] = *response;
  return Answered() ? grpc::Status::OK
                    : grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
}

grpc::Status FakeCluster::Get(grpc::ServerContext*, const v1::GetRequest* request,
                              v1::GetResponse* response) {
  const MutexLock lock(&mutex_);
  const v1::Object* object = Find(request->kind(), request->namespace_(), request->name());
  if (object == nullptr) return NotFound(request->kind(), request->name());
  *response->mutable_object() = *object;
  return grpc::Status::OK;
}

grpc::Status FakeCluster::List(grpc::ServerContext*, const v1::ListRequest* request,
                               v1::ListResponse* response) {
  const MutexLock lock(&mutex_);
  const auto labels = LabelMatcher::Parse(request->label_selector());
  const auto fields = FieldMatcher::Parse(request->field_selector(), *FindKind(request->kind()));
  for (const absl::Status& status : {labels.status(), fields.status()}) {
    if (!status.ok()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, std::string(status.message())};
    }
  }
  for (const auto& [key, object] : objects_) {
    if (Selected(object, request->kind(), request->namespace_(), *labels, *fields) &&
        key > request->continue_token()) {
      // Two per page, so that every list of three is a walk.
      if (response->objects_size() == 2) {
        response->set_continue_token(Key(response->objects(1)));
        break;
      }
      *response->add_objects() = object;
    }
  }
  response->set_revision(revision_);
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                                grpc::ServerWriter<v1::WatchEvent>* writer) {
  const auto labels = LabelMatcher::Parse(request->label_selector());
  const auto fields = FieldMatcher::Parse(request->field_selector(), *FindKind(request->kind()));
  if (!labels.ok() || !fields.ok()) return {grpc::StatusCode::INVALID_ARGUMENT, "bad selector"};
  mutex_.Lock();
  ++watches_;
  changed_.SignalAll();
  const int era = watch_era_;
  size_t next = 0;
  while (era == watch_era_ && !context->IsCancelled()) {
    if (next == history_.size()) {
      // So often it looks whether the client has gone.
      changed_.WaitFor(&mutex_, absl::Milliseconds(20));
      continue;
    }
    const v1::WatchEvent event = history_[next++];
    if (event.revision() <= request->from_revision() ||
        !Selected(event.object(), request->kind(), request->namespace_(), *labels, *fields)) {
      continue;
    }
    mutex_.Unlock();
    writer->Write(event);
    mutex_.Lock();
  }
  grpc::Status status = watch_end_;
  mutex_.Unlock();
  return status;
}

grpc::Status FakeCluster::Delete(grpc::ServerContext*, const v1::DeleteRequest* request,
                                 v1::DeleteResponse* response) {
  const MutexLock lock(&mutex_);
  last_delete_ = *request;
  const v1::Object* found = Find(request->kind(), request->namespace_(), request->name());
  if (found == nullptr || (!request->uid().empty() && request->uid() != Meta(*found).uid())) {
    return NotFound(request->kind(), request->name());
  }
  v1::Object object = *found;
  if (request->dry_run()) {
    *response->mutable_object() = object;
    return grpc::Status::OK;
  }
  ++writes_;
  const bool ends_later = object.has_pod() && !object.pod().spec().node_name().empty() &&
                          request->grace_period_seconds() != 0;
  if (ends_later || (object.has_pod() && !request->has_grace_period_seconds() &&
                     !object.pod().spec().node_name().empty())) {
    MutableMeta(&object)->mutable_deletion_timestamp()->set_seconds(1);
    Commit(v1::WATCH_EVENT_TYPE_MODIFIED, object);
  } else {
    Commit(v1::WATCH_EVENT_TYPE_DELETED, object);
    response->set_gone(true);
  }
  *response->mutable_object() = object;
  response->set_revision(revision_);
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Scale(grpc::ServerContext*, const v1::ScaleRequest* request,
                                v1::ScaleResponse* response) {
  const MutexLock lock(&mutex_);
  const v1::Object* found = Find(request->kind(), request->namespace_(), request->name());
  if (found == nullptr) return NotFound(request->kind(), request->name());
  v1::Object object = *found;
  v1::DeploymentSpec& spec = *object.mutable_deployment()->mutable_spec();
  if (request->has_current_replicas() && request->current_replicas() != spec.replicas()) {
    return {
        grpc::StatusCode::FAILED_PRECONDITION,
        absl::StrCat("it has ", spec.replicas(), " replicas, not ", request->current_replicas())};
  }
  spec.set_replicas(request->replicas());
  Commit(v1::WATCH_EVENT_TYPE_MODIFIED, object);
  *response->mutable_object() = object;
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Rollout(grpc::ServerContext*, const v1::RolloutRequest* request,
                                  v1::RolloutResponse* response) {
  const MutexLock lock(&mutex_);
  const v1::Object* found = Find(request->kind(), request->namespace_(), request->name());
  if (found == nullptr) return NotFound(request->kind(), request->name());
  v1::Object object = *found;
  v1::DeploymentSpec* spec = object.mutable_deployment()->mutable_spec();
  if (request->action() == v1::ROLLOUT_ACTION_RESTART) {
    auto& annotations = *spec->mutable_template_()->mutable_metadata()->mutable_annotations();
    annotations["kubectl.kubernetes.io/restartedAt"] = "now";
  } else {
    spec->set_paused(request->action() == v1::ROLLOUT_ACTION_PAUSE);
  }
  Commit(v1::WATCH_EVENT_TYPE_MODIFIED, object);
  *response->mutable_object() = object;
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Undo(grpc::ServerContext*, const v1::UndoRequest* request,
                               v1::UndoResponse* response) {
  const MutexLock lock(&mutex_);
  if (Find(request->kind(), request->namespace_(), request->name()) == nullptr) {
    return NotFound(request->kind(), request->name());
  }
  response->set_from_history(request->to_revision() == 0 ? 1 : request->to_revision());
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Cordon(grpc::ServerContext*, const v1::CordonRequest* request,
                                 v1::CordonResponse* response) {
  const MutexLock lock(&mutex_);
  const v1::Object* found = Find("Node", "", request->node());
  if (found == nullptr) return NotFound("Node", request->node());
  v1::Object object = *found;
  response->set_changed(object.node().spec().unschedulable() != request->unschedulable());
  object.mutable_node()->mutable_spec()->set_unschedulable(request->unschedulable());
  Commit(v1::WATCH_EVENT_TYPE_MODIFIED, object);
  return grpc::Status::OK;
}

void FakeCluster::SetStats(v1::StatsResponse stats) {
  MutexLock lock(&mutex_);
  stats_ = std::move(stats);
}

grpc::Status FakeCluster::Stats(grpc::ServerContext*, const v1::StatsRequest* request,
                                v1::StatsResponse* response) {
  MutexLock lock(&mutex_);
  *response->mutable_unreachable() = stats_.unreachable();
  for (const v1::NodeStats& node : stats_.nodes()) {
    if (!request->node().empty() && request->node() != node.node()) continue;
    v1::NodeStats* answer = response->add_nodes();
    *answer = node;
    answer->clear_pods();
    for (const v1::PodStats& pod : node.pods()) {
      const bool wanted =
          request->namespace_().empty() || request->namespace_() == pod.namespace_();
      if (wanted) *answer->add_pods() = pod;
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeCluster::GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*,
                                     v1::GetVersionResponse* response) {
  response->set_version("9.8.7");
  response->set_api("v1");
  return grpc::Status::OK;
}

}  // namespace cluster::cli
