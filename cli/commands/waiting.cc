#include "cli/commands/waiting.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/targets.h"
#include "cli/output/pod_status.h"
#include "cli/output/rows.h"

#include "base/status.h"
#include "proto/schema/selector.h"

namespace cluster::cli {
namespace {

constexpr size_t kReasonsShown = 3;

std::string Described(const ObjectName& name) { return TargetText(*name.kind, name.name); }

// nullptr: it has no pods.
const v1::LabelSelector* PodSelectorOf(const v1::Object& object) {
  if (object.has_deployment()) return &object.deployment().spec().selector();
  if (object.has_replica_set()) return &object.replica_set().spec().selector();
  if (object.has_stateful_set()) return &object.stateful_set().spec().selector();
  if (object.has_daemon_set()) return &object.daemon_set().spec().selector();
  return nullptr;
}

// Pods that are not ready and belong to the object, as sentences.
std::vector<std::string> Reasons(Client& client, const ObjectName& name, const v1::Object& object) {
  if (object.has_pod()) return {WhyNotReady(object.pod())};
  const v1::LabelSelector* selector = PodSelectorOf(object);
  if (selector == nullptr) return {};
  v1::ListRequest request;
  request.set_kind("Pod");
  request.set_namespace_(name.name_space);
  request.set_label_selector(SelectorText(*selector));
  const absl::StatusOr<v1::ListResponse> pods = client.List(request);
  if (!pods.ok()) return {std::string(pods.status().message())};
  std::vector<std::string> reasons;
  for (const v1::Object& pod : pods->objects()) {
    const std::string why = WhyNotReady(pod.pod());
    if (!why.empty() && reasons.size() < kReasonsShown) reasons.push_back(why);
  }
  return reasons;
}

}  // namespace

absl::Time DeadlineAfter(absl::Time now, absl::Duration timeout) {
  return timeout <= absl::ZeroDuration() ? absl::InfiniteFuture() : now + timeout;
}

absl::Status WaitFor(Client& client, const ObjectName& name, absl::Time deadline,
                     const std::function<Progress(const v1::Object*)>& look) {
  Progress progress;
  const auto consider = [&](const v1::Object* object) {
    progress = look(object);
    return progress.state == ProgressState::kUnderWay;
  };
  while (true) {
    v1::ListRequest list;
    list.set_kind(name.kind->name);
    list.set_namespace_(name.name_space);
    list.set_field_selector(absl::StrCat("metadata.name=", name.name));
    ASSIGN_OR_RETURN(const v1::ListResponse now, client.List(list));
    absl::Status status;
    if (consider(now.objects().empty() ? nullptr : &now.objects(0))) {
      v1::WatchRequest request;
      request.set_kind(list.kind());
      request.set_namespace_(list.namespace_());
      request.set_field_selector(list.field_selector());
      request.set_from_revision(now.revision());
      status = client.Watch(request, deadline, [&](const v1::WatchEvent& event) {
        const bool gone = event.type() == v1::WATCH_EVENT_TYPE_DELETED;
        return consider(gone ? nullptr : &event.object());
      });
    }
    if (absl::IsOutOfRange(status)) continue;
    if (absl::IsDeadlineExceeded(status)) {
      return absl::DeadlineExceededError(absl::StrCat("timed out waiting for ", Described(name),
                                                      progress.message.empty() ? "" : ": ",
                                                      progress.message));
    }
    RETURN_IF_ERROR(status);
    return progress.state == ProgressState::kReached
               ? absl::OkStatus()
               : absl::FailedPreconditionError(progress.message);
  }
}

absl::Status WaitUntilGone(Client& client, const ObjectName& name, const std::string& uid,
                           absl::Time deadline) {
  return WaitFor(client, name, deadline, [&](const v1::Object* object) {
    const bool gone = object == nullptr || (!uid.empty() && Meta(*object).uid() != uid);
    if (gone) return Progress{ProgressState::kReached, ""};
    return Progress{ProgressState::kUnderWay, "it is still there"};
  });
}

absl::Status WaitUntilReady(Client& client, const ObjectName& name, absl::Time deadline,
                            const std::function<void(const std::string&)>& say) {
  std::string last;
  v1::Object state;
  const absl::Status status = WaitFor(client, name, deadline, [&](const v1::Object* object) {
    if (object == nullptr) {
      state.Clear();
      return Progress{ProgressState::kGivenUp, absl::StrCat(Described(name), " was deleted")};
    }
    state = *object;
    Progress progress = ReadyProgress(*object);
    if (progress.message != last && progress.state != ProgressState::kGivenUp)
      say(progress.message);
    last = progress.message;
    return progress;
  });
  // The message about a pod that failed says why already.
  const bool failed = absl::IsFailedPrecondition(status) && !state.has_pod();
  const bool explains = absl::IsDeadlineExceeded(status) || failed;
  if (!explains || state.object_case() == v1::Object::OBJECT_NOT_SET) return status;
  const std::vector<std::string> reasons = Reasons(client, name, state);
  if (reasons.empty()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), " (", absl::StrJoin(reasons, "; "), ")"));
}

}  // namespace cluster::cli
