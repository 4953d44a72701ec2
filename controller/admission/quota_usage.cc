#include "controller/admission/quota_usage.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "controller/reconcile/pod_state.h"
#include "proto/schema/kinds.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/resource_names.h"
#include "proto/schema/scalars.h"
#include "proto/schema/service_types.h"

namespace cluster::controller {
namespace {

using Amounts = google::protobuf::Map<std::string, std::string>;

bool IsCpu(const std::string& name) {
  return name == "cpu" || name == "requests.cpu" || name == "limits.cpu";
}

bool IsBytes(const std::string& name) {
  return absl::EndsWith(name, "memory") || absl::EndsWith(name, "storage") ||
         absl::StrContains(name, "hugepages-");
}

int64_t AmountOf(const Amounts& amounts, const std::string& resource) {
  const auto found = amounts.find(resource);
  if (found == amounts.end()) return 0;
  return std::max<int64_t>(0, ResourceAmount(resource, found->second).value_or(0));
}

std::set<std::string> ResourcesOf(const v1::PodSpec& spec) {
  std::set<std::string> names;
  for (const auto* containers : {&spec.containers(), &spec.init_containers()}) {
    for (const v1::Container& container : *containers) {
      for (const Amounts* amounts :
           {&container.resources().requests(), &container.resources().limits()}) {
        for (const auto& [name, amount] : *amounts) names.insert(name);
      }
    }
  }
  return names;
}

void AddPod(const v1::Pod& pod, QuotaAmounts* usage) {
  if (IsFinished(pod)) return;
  (*usage)["pods"] = 1;
  for (const std::string& resource : ResourcesOf(pod.spec())) {
    const int64_t requested = EffectiveAmount(pod.spec(), [&](const v1::Container& container) {
      return AmountOf(container.resources().requests(), resource);
    });
    const int64_t limited = EffectiveAmount(pod.spec(), [&](const v1::Container& container) {
      return AmountOf(container.resources().limits(), resource);
    });
    if (!IsExtendedResource(resource)) (*usage)[resource] = requested;
    (*usage)[absl::StrCat("requests.", resource)] = requested;
    (*usage)[absl::StrCat("limits.", resource)] = limited;
  }
}

void AddClaim(const v1::PersistentVolumeClaim& claim, QuotaAmounts* usage) {
  const int64_t storage = AmountOf(claim.spec().resources().requests(), "storage");
  const std::string of_class =
      absl::StrCat(claim.spec().storage_class_name(), ".storageclass.storage.k8s.io/");
  (*usage)["requests.storage"] = storage;
  (*usage)[of_class + "requests.storage"] = storage;
  (*usage)[of_class + "persistentvolumeclaims"] = 1;
}

void AddService(const v1::ServiceSpec& spec, QuotaAmounts* usage) {
  (*usage)["services.nodeports"] = TakesNodePorts(spec) ? spec.ports_size() : 0;
  (*usage)["services.loadbalancers"] = spec.type() == v1::SERVICE_TYPE_LOAD_BALANCER ? 1 : 0;
}

bool InScope(v1::QuotaScope scope, const v1::Pod& pod) {
  const bool best_effort = QosOf(pod.spec()) == v1::QOS_CLASS_BEST_EFFORT;
  const bool terminating = pod.spec().has_active_deadline_seconds();
  switch (scope) {
    case v1::QUOTA_SCOPE_TERMINATING:
      return terminating;
    case v1::QUOTA_SCOPE_NOT_TERMINATING:
      return !terminating;
    case v1::QUOTA_SCOPE_BEST_EFFORT:
      return best_effort;
    case v1::QUOTA_SCOPE_NOT_BEST_EFFORT:
      return !best_effort;
    case v1::QUOTA_SCOPE_UNSPECIFIED:
    case v1::QuotaScope_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::QuotaScope_INT_MAX_SENTINEL_DO_NOT_USE_:
      return false;
  }
  return false;
}

// The resource that a container has to name, and where: "limits.cpu" -> cpu in limits.
bool Says(const v1::Container& container, const std::string& name) {
  const bool limit = absl::StartsWith(name, "limits.");
  const size_t dot = name.find('.');
  const std::string resource = dot == std::string::npos ? name : name.substr(dot + 1);
  const Amounts& amounts =
      limit ? container.resources().limits() : container.resources().requests();
  return amounts.contains(resource);
}

bool IsCompute(const std::string& name) {
  static const auto* const names = new std::set<std::string>{
      "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"};
  return names->contains(name);
}

}  // namespace

absl::StatusOr<int64_t> QuotaAmount(const std::string& name, const std::string& quantity) {
  return IsCpu(name) ? QuantityMilli(quantity) : QuantityValue(quantity);
}

std::string FormatQuotaAmount(const std::string& name, int64_t amount) {
  if (IsCpu(name)) return FormatMilli(amount);
  return IsBytes(name) ? FormatBytes(amount) : FormatCount(amount);
}

QuotaAmounts UsageOf(const v1::Object& object) {
  const Kind& kind = KindOf(object);
  const size_t slash = kind.api_version.find('/');
  const std::string group =
      slash == std::string::npos ? "" : absl::StrCat(".", kind.api_version.substr(0, slash));
  QuotaAmounts usage;
  usage[absl::StrCat("count/", kind.plural, group)] = 1;
  if (object.has_pod()) {
    AddPod(object.pod(), &usage);
  } else {
    // Kinds without a group are counted by their bare name too.
    if (group.empty()) usage[kind.plural] = 1;
    if (object.has_persistent_volume_claim()) AddClaim(object.persistent_volume_claim(), &usage);
    if (object.has_service()) AddService(object.service().spec(), &usage);
  }
  return usage;
}

bool InScope(const v1::ResourceQuotaSpec& quota, const v1::Object& object) {
  if (quota.scopes().empty()) return true;
  if (!object.has_pod()) return false;
  for (const int scope : quota.scopes()) {
    if (!InScope(static_cast<v1::QuotaScope>(scope), object.pod())) return false;
  }
  return true;
}

std::string Unsaid(const v1::ResourceQuotaSpec& quota, const v1::PodSpec& pod) {
  std::set<std::string> names;
  for (const auto& [name, amount] : quota.hard()) {
    if (IsCompute(name)) names.insert(name);
  }
  std::vector<std::string> parts;
  for (const std::string& name : names) {
    std::set<std::string> silent;
    for (const auto* containers : {&pod.containers(), &pod.init_containers()}) {
      for (const v1::Container& container : *containers) {
        if (!Says(container, name)) silent.insert(container.name());
      }
    }
    if (!silent.empty()) {
      parts.push_back(absl::StrCat(name, " for: ", absl::StrJoin(silent, ",")));
    }
  }
  return parts.empty() ? "" : absl::StrCat("must specify ", absl::StrJoin(parts, "; "));
}

}  // namespace cluster::controller
