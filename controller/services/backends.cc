#include "controller/services/backends.h"

#include <algorithm>

#include "absl/strings/numbers.h"

#include "controller/cache/entry.h"

namespace cluster::controller {
namespace {

int32_t NamedPort(const std::string& name, v1::Protocol protocol,
                  const google::protobuf::RepeatedPtrField<v1::Container>& containers) {
  for (const v1::Container& container : containers) {
    for (const v1::ContainerPort& port : container.ports()) {
      const v1::Protocol own =
          port.protocol() == v1::PROTOCOL_UNSPECIFIED ? v1::PROTOCOL_TCP : port.protocol();
      if (port.name() == name && own == protocol) return port.container_port();
    }
  }
  return 0;
}

}  // namespace

bool Selects(const v1::ServiceSpec& service, const v1::Pod& pod) {
  const auto& labels = pod.metadata().labels();
  return !service.selector().empty() &&
         std::all_of(service.selector().begin(), service.selector().end(),
                     [&labels](const auto& wanted) {
                       const auto label = labels.find(wanted.first);
                       return label != labels.end() && label->second == wanted.second;
                     });
}

bool Serves(const v1::ServiceSpec& service, const v1::Pod& pod) {
  const PodMarks marks = MarksOf(pod);
  return marks.active() && !pod.status().pod_ip().empty() &&
         (marks.ready || service.publish_not_ready_addresses());
}

int32_t TargetOf(const v1::ServicePort& port, const v1::Pod& pod) {
  if (port.target_port().empty()) return port.port();
  int32_t number = 0;
  if (absl::SimpleAtoi(port.target_port(), &number)) return number;
  const v1::Protocol protocol =
      port.protocol() == v1::PROTOCOL_UNSPECIFIED ? v1::PROTOCOL_TCP : port.protocol();
  number = NamedPort(port.target_port(), protocol, pod.spec().containers());
  // Sidecars have ports too.
  return number != 0 ? number
                     : NamedPort(port.target_port(), protocol, pod.spec().init_containers());
}

}  // namespace cluster::controller
