#include "proto/schema/service_pods.h"

#include <algorithm>

#include "absl/strings/numbers.h"

#include "proto/schema/pod_resources.h"
#include "proto/schema/service_types.h"

namespace cluster {
namespace {

// One without a protocol is TCP.
v1::Protocol ProtocolOf(v1::Protocol written) {
  return written == v1::PROTOCOL_UNSPECIFIED ? v1::PROTOCOL_TCP : written;
}

// 0: none of that name.
int32_t NamedPort(const v1::ServicePort& wanted, const v1::Container& container) {
  for (const v1::ContainerPort& port : container.ports()) {
    if (port.name() == wanted.target_port() &&
        ProtocolOf(port.protocol()) == ProtocolOf(wanted.protocol())) {
      return port.container_port();
    }
  }
  return 0;
}

bool IsReady(const v1::Pod& pod) {
  const auto& conditions = pod.status().conditions();
  const auto ready = std::find_if(conditions.begin(), conditions.end(),
                                  [](const v1::Condition& each) { return each.type() == "Ready"; });
  return ready != conditions.end() && ready->status() == v1::CONDITION_STATUS_TRUE;
}

}  // namespace

bool Selects(const v1::ServiceSpec& service, const v1::Pod& pod) {
  const auto& labels = pod.metadata().labels();
  return IsOfPods(service) && !service.selector().empty() &&
         std::all_of(service.selector().begin(), service.selector().end(),
                     [&labels](const auto& wanted) {
                       const auto label = labels.find(wanted.first);
                       return label != labels.end() && label->second == wanted.second;
                     });
}

bool Serves(const v1::ServiceSpec& service, const v1::Pod& pod) {
  const v1::PodPhase phase = pod.status().phase();
  return phase != v1::POD_PHASE_SUCCEEDED && phase != v1::POD_PHASE_FAILED &&
         !pod.metadata().has_deletion_timestamp() && !pod.status().pod_ip().empty() &&
         (service.publish_not_ready_addresses() || IsReady(pod));
}

int32_t TargetOf(const v1::ServicePort& port, const v1::Pod& pod) {
  if (port.target_port().empty()) return port.port();
  int32_t number = 0;
  if (absl::SimpleAtoi(port.target_port(), &number)) return number;
  for (const v1::Container& container : pod.spec().containers()) {
    number = NamedPort(port, container);
    if (number != 0) return number;
  }
  for (const v1::Container& container : pod.spec().init_containers()) {
    number = IsSidecar(container.restart_policy()) ? NamedPort(port, container) : 0;
    if (number != 0) return number;
  }
  return 0;
}

}  // namespace cluster
