#include "controller/services/addresses.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/cache/service_claims.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/service_types.h"

namespace cluster::controller {
namespace {

using Ports = google::protobuf::RepeatedPtrField<v1::ServicePort>;

// Before the defaults a port without a protocol is one of TCP.
std::pair<int, int> PortKey(const v1::ServicePort& port) {
  const int protocol =
      port.protocol() == v1::PROTOCOL_UNSPECIFIED ? v1::PROTOCOL_TCP : port.protocol();
  return {protocol, port.port()};
}

std::pair<int, int> NodePortKey(const v1::ServicePort& port) {
  return {PortKey(port).first, port.node_port()};
}

void KeepNodePorts(const Ports& before, Ports* after) {
  std::map<std::pair<int, int>, int> chosen;
  for (const v1::ServicePort& port : before) chosen[PortKey(port)] = port.node_port();
  std::set<std::pair<int, int>> named;
  for (const v1::ServicePort& port : *after) named.insert(NodePortKey(port));
  for (v1::ServicePort& port : *after) {
    const auto found = chosen.find(PortKey(port));
    if (port.node_port() != 0 || found == chosen.end()) continue;
    if (named.insert({PortKey(port).first, found->second}).second) {
      port.set_node_port(found->second);
    }
  }
}

void GiveNodePortsBack(const Ports& before, Ports* after) {
  std::set<std::pair<int, int>> old;
  for (const v1::ServicePort& port : before) old.insert(NodePortKey(port));
  for (v1::ServicePort& port : *after) {
    if (old.contains(NodePortKey(port))) port.clear_node_port();
  }
}

bool SameList(const google::protobuf::RepeatedPtrField<std::string>& a,
              const google::protobuf::RepeatedPtrField<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

void GiveAddressBack(const v1::ServiceSpec& before, v1::ServiceSpec* after) {
  if (after->cluster_ip() == before.cluster_ip()) after->clear_cluster_ip();
  if (SameList(after->cluster_ips(), before.cluster_ips())) after->clear_cluster_ips();
  // They are about the address.
  if (SameList(after->ip_families(), before.ip_families())) after->clear_ip_families();
  if (after->ip_family_policy() == before.ip_family_policy()) after->clear_ip_family_policy();
}

std::string OutOfRange(const ServiceRanges& ranges, Ipv4 address) {
  const std::string text = ToString(ranges.addresses);
  if (!ranges.addresses.Contains(address)) {
    return absl::StrCat(ToString(address), " is not within ", text,
                        ", the range of services (--service-cidr); leave it out to get a free "
                        "address");
  }
  if (address != ranges.addresses.First() && address != ranges.addresses.Last()) return "";
  return absl::StrCat(ToString(address), " is the ",
                      address == ranges.addresses.First() ? "first" : "last", " address of ", text,
                      ", which no service has; leave it out to get a free one");
}

// One service while its choices are made.
class Chooser {
 public:
  Chooser(const ServiceRanges& ranges, HolderOf holder_of, absl::string_view seed,
          const v1::Service* before, v1::Service* service)
      : ranges_(ranges), holder_of_(holder_of), seed_(seed), service_(service) {
    if (before == nullptr) return;
    v1::Object object;
    *object.mutable_service() = *before;
    for (std::string& claim : ClaimsOf(object)) kept_.insert(std::move(claim));
  }

  absl::Status Run() {
    v1::ServiceSpec* spec = service_->mutable_spec();
    if (TakesAddress(*spec)) RETURN_IF_ERROR(FillInAddress(spec));
    if (!TakesNodePorts(*spec)) return absl::OkStatus();
    for (int i = 0; i < spec->ports_size(); ++i) CheckNodePort(i, spec->ports(i));
    for (v1::ServicePort& port : *spec->mutable_ports()) RETURN_IF_ERROR(FillInNodePort(&port));
    return absl::OkStatus();
  }

  std::vector<FieldError> Take() { return std::move(errors_); }

 private:
  absl::Status FillInAddress(v1::ServiceSpec* spec) {
    if (!spec->cluster_ip().empty()) {
      CheckAddress(spec->cluster_ip());
      return absl::OkStatus();
    }
    const uint32_t first = ranges_.addresses.First().value + 1;
    const auto address_of = [&](uint32_t each) { return ToString(Ipv4{first + each}); };
    const auto chosen =
        ChooseFree(ranges_.addresses.Last().value - first, seed_,
                   [&](uint32_t each) { return holder_of_(address_of(each)).empty(); });
    if (!chosen.has_value()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("no address is left in ", ToString(ranges_.addresses), " for service/",
                       service_->metadata().name(),
                       ": delete services, or start the controller with a larger --service-cidr"));
    }
    spec->set_cluster_ip(address_of(*chosen));
    spec->clear_cluster_ips();
    spec->add_cluster_ips(spec->cluster_ip());
    return absl::OkStatus();
  }

  void CheckAddress(const std::string& text) {
    const auto address = ParseIpv4(text);
    // What is no address was refused before.
    if (kept_.contains(text) || !address.ok()) return;
    std::string problem = OutOfRange(ranges_, *address);
    if (const std::string holder = holder_of_(text); problem.empty() && !holder.empty()) {
      problem = absl::StrCat(text, " belongs to ", holder, "; leave it out to get a free address");
    }
    if (!problem.empty()) errors_.push_back({"spec.clusterIP", std::move(problem)});
  }

  void CheckNodePort(int index, const v1::ServicePort& port) {
    if (port.node_port() == 0) return;
    named_.insert(NodePortKey(port));
    const std::string claim = NodePortClaim(port.protocol(), port.node_port());
    if (kept_.contains(claim)) return;
    std::string problem;
    if (port.node_port() < ranges_.first_port || port.node_port() > ranges_.last_port) {
      problem = absl::StrCat(port.node_port(), " is not within ", ranges_.first_port, "-",
                             ranges_.last_port,
                             ", the ports of nodes for services (--node-ports); leave it out to "
                             "get a free one");
    } else if (const std::string holder = holder_of_(claim); !holder.empty()) {
      problem =
          absl::StrCat(EnumText(port.protocol()), " port ", port.node_port(),
                       " of the nodes belongs to ", holder, "; leave it out to get a free one");
    }
    if (problem.empty()) return;
    errors_.push_back({absl::StrCat("spec.ports[", index, "].nodePort"), std::move(problem)});
  }

  bool IsFree(v1::Protocol protocol, int port) const {
    return !named_.contains({protocol, port}) && holder_of_(NodePortClaim(protocol, port)).empty();
  }

  absl::Status FillInNodePort(v1::ServicePort* port) {
    if (port->node_port() != 0) return absl::OkStatus();
    // One port of two protocols is one port of the nodes too, where that can be.
    for (const v1::ServicePort& twin : service_->spec().ports()) {
      if (twin.port() != port->port() || twin.node_port() == 0) continue;
      if (IsFree(port->protocol(), twin.node_port())) return SetNodePort(twin.node_port(), port);
    }
    const auto count = static_cast<uint32_t>(ranges_.last_port - ranges_.first_port + 1);
    const auto chosen =
        ChooseFree(count, absl::StrCat(seed_, " port ", port->port()), [&](uint32_t each) {
          return IsFree(port->protocol(), ranges_.first_port + static_cast<int>(each));
        });
    if (chosen.has_value()) {
      return SetNodePort(ranges_.first_port + static_cast<int>(*chosen), port);
    }
    return absl::ResourceExhaustedError(absl::StrCat(
        "no ", EnumText(port->protocol()), " port of the nodes is left in ", ranges_.first_port,
        "-", ranges_.last_port, " for service/", service_->metadata().name(),
        ": delete services, or start the controller with more --node-ports"));
  }

  absl::Status SetNodePort(int number, v1::ServicePort* port) {
    port->set_node_port(number);
    named_.insert(NodePortKey(*port));
    return absl::OkStatus();
  }

  const ServiceRanges& ranges_;
  const HolderOf holder_of_;
  const absl::string_view seed_;
  v1::Service* const service_;
  std::set<std::string> kept_;           // claims that it has already
  std::set<std::pair<int, int>> named_;  // protocol and port of the nodes
  std::vector<FieldError> errors_;
};

}  // namespace

void KeepChosen(const v1::ServiceSpec& before, v1::ServiceSpec* after) {
  if (IsOfPods(before) && IsOfPods(*after)) {
    if (after->cluster_ip().empty()) after->set_cluster_ip(before.cluster_ip());
  } else if (IsOfPods(before)) {
    GiveAddressBack(before, after);
  } else if (IsOfPods(*after) && after->external_name() == before.external_name()) {
    after->clear_external_name();
  }
  if (!TakesNodePorts(before)) return;
  if (TakesNodePorts(*after)) {
    KeepNodePorts(before.ports(), after->mutable_ports());
    return;
  }
  GiveNodePortsBack(before.ports(), after->mutable_ports());
  if (after->external_traffic_policy() == before.external_traffic_policy()) {
    after->clear_external_traffic_policy();
  }
}

absl::StatusOr<std::vector<FieldError>> FillInChosen(const ServiceRanges& ranges,
                                                     HolderOf holder_of, absl::string_view seed,
                                                     const v1::Service* before,
                                                     v1::Service* service) {
  Chooser chooser(ranges, holder_of, seed, before, service);
  RETURN_IF_ERROR(chooser.Run());
  return chooser.Take();
}

}  // namespace cluster::controller
