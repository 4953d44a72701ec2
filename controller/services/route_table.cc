#include "controller/services/route_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

#include "proto/schema/kinds.h"
#include "proto/schema/service_pods.h"
#include "proto/schema/service_types.h"

namespace cluster::controller {
namespace {

// Remembered to be told to those who knew them.
constexpr size_t kMostGone = 1000;

// "web" of "pods/default/web"
std::string NameOf(absl::string_view key) { return std::string(key.substr(key.rfind('/') + 1)); }

// "default" of "pods/default/web"
std::string NamespaceOf(absl::string_view key) {
  key.remove_prefix(key.find('/') + 1);
  return std::string(key.substr(0, key.find('/')));
}

// "default/web" of "services/default/web"
std::string PathOf(absl::string_view key) { return std::string(key.substr(key.find('/') + 1)); }

int32_t AffinityOf(const v1::ServiceSpec& spec) {
  if (spec.session_affinity() != v1::SESSION_AFFINITY_CLIENT_IP) return 0;
  return spec.session_affinity_config().client_ip().timeout_seconds();
}

// All that a node is told but the backends.
v1::ServiceRoute AddressOf(const v1::Service& service) {
  const v1::ServiceSpec& spec = service.spec();
  v1::ServiceRoute route;
  route.set_namespace_(service.metadata().namespace_());
  route.set_name(service.metadata().name());
  if (!IsOfPods(spec)) {
    route.set_external_name(spec.external_name());
    return route;
  }
  if (!IsHeadless(spec)) route.set_cluster_ip(spec.cluster_ip());
  for (const v1::ServicePort& port : spec.ports()) {
    v1::ServicePortRoute* to = route.add_ports();
    to->set_name(port.name());
    to->set_protocol(port.protocol());
    to->set_port(port.port());
    to->set_node_port(port.node_port());
  }
  route.set_affinity_seconds(AffinityOf(spec));
  route.set_external_traffic_policy(spec.external_traffic_policy());
  route.set_internal_traffic_policy(spec.internal_traffic_policy());
  return route;
}

// Whether nodes notice that it is another.
bool SameAddress(const EntryPtr& a, const EntryPtr& b) {
  return AddressOf(a->object.service()).SerializeAsString() ==
         AddressOf(b->object.service()).SerializeAsString();
}

std::vector<std::string> TargetsOf(const v1::ServiceSpec& spec) {
  std::vector<std::string> targets;
  for (const v1::ServicePort& port : spec.ports()) targets.push_back(port.target_port());
  return targets;
}

bool SameChoice(const v1::ServiceSpec& a, const v1::ServiceSpec& b) {
  return std::equal(a.selector().begin(), a.selector().end(), b.selector().begin(),
                    b.selector().end(),
                    [](const auto& left, const auto& right) {
                      return left.first == right.first && left.second == right.second;
                    }) &&
         IsOfPods(a) == IsOfPods(b) &&
         a.publish_not_ready_addresses() == b.publish_not_ready_addresses() &&
         TargetsOf(a) == TargetsOf(b);
}

}  // namespace

RouteTable::Service* RouteTable::Find(absl::string_view key) {
  return const_cast<Service*>(std::as_const(*this).Find(key));
}

const RouteTable::Service* RouteTable::Find(absl::string_view key) const {
  const auto services = by_namespace_.find(NamespaceOf(key));
  if (services == by_namespace_.end()) return nullptr;
  const auto found = services->second.by_name.find(NameOf(key));
  return found == services->second.by_name.end() ? nullptr : &found->second;
}

void RouteTable::Index(Services* services, const EntryPtr& service, bool is_there) {
  const auto& selector = service->object.service().spec().selector();
  if (selector.empty()) return;
  const auto least = std::min_element(
      selector.begin(), selector.end(),
      [](const auto& left, const auto& right) { return left.first < right.first; });
  const std::pair<std::string, std::string> label{least->first, least->second};
  std::set<std::string>& names = services->by_label[label];
  if (is_there) {
    names.insert(NameOf(service->key));
  } else {
    names.erase(NameOf(service->key));
  }
  if (names.empty()) services->by_label.erase(label);
}

void RouteTable::AddCandidates(const Services& services, const EntryPtr& pod,
                               std::set<std::string>* names) {
  if (pod == nullptr) return;
  for (const auto& [key, value] : Meta(pod->object).labels()) {
    const auto found = services.by_label.find(std::pair(key, value));
    if (found != services.by_label.end()) names->insert(found->second.begin(), found->second.end());
  }
}

RouteTable::Member RouteTable::MemberOf(const v1::Service& service, const Entry& entry) {
  const v1::Pod& pod = entry.object.pod();
  Member member{entry.uid, pod.status().pod_ip(), pod.spec().node_name(), "", {}};
  if (pod.spec().subdomain() == service.metadata().name()) {
    member.hostname = pod.spec().hostname();
  }
  for (const v1::ServicePort& port : service.spec().ports()) {
    member.ports.push_back(TargetOf(port, pod));
  }
  return member;
}

void RouteTable::Stamp(const std::string& key, int64_t* version) {
  changes_.erase(*version);
  *version = ++version_;
  changes_[version_] = key;
}

bool RouteTable::Update(Service* service, const std::string& name, const EntryPtr& pod) {
  const v1::Service& object = service->entry->object.service();
  const v1::ServiceSpec& spec = object.spec();
  const auto found = service->members.find(name);
  const bool serves =
      pod != nullptr && Selects(spec, pod->object.pod()) && Serves(spec, pod->object.pod());
  if (!serves) {
    if (found == service->members.end()) return false;
    Leave(found->second.uid);
    service->members.erase(found);
    return true;
  }
  Member member = MemberOf(object, *pod);
  if (found == service->members.end()) {
    service->members.emplace(name, std::move(member));
    return true;
  }
  if (found->second == member) return false;
  // A name may be another pod's by now.
  if (!(found->second.uid == member.uid)) Leave(found->second.uid);
  service->members.erase(found);
  service->members.emplace(name, std::move(member));
  return true;
}

void RouteTable::Fill(Service* service, const View& view) {
  const v1::Service& object = service->entry->object.service();
  if (object.spec().selector().empty()) return;
  // By the label that the fewest have.
  std::vector<EntryPtr> pods;
  bool first = true;
  for (const auto& [key, value] : object.spec().selector()) {
    std::vector<EntryPtr> labelled = view.WithLabel(v1::Object::kPod, key, value);
    if (first || labelled.size() < pods.size()) pods = std::move(labelled);
    first = false;
  }
  const std::string prefix = "pods/" + object.metadata().namespace_() + "/";
  for (const EntryPtr& pod : pods) {
    if (absl::StartsWith(pod->key, prefix)) Update(service, NameOf(pod->key), pod);
  }
}

void RouteTable::Remove(const std::string& key) {
  const auto services = by_namespace_.find(NamespaceOf(key));
  if (services == by_namespace_.end()) return;
  const auto found = services->second.by_name.find(NameOf(key));
  if (found == services->second.by_name.end()) return;
  for (const auto& [name, member] : found->second.members) Leave(member.uid);
  int64_t version = found->second.version;
  Stamp(key, &version);
  addresses_version_ = version;
  gone_[key] = version;
  Index(&services->second, found->second.entry, false);
  services->second.by_name.erase(found);
  if (services->second.by_name.empty()) by_namespace_.erase(services);
  if (gone_.size() <= kMostGone) return;
  for (const auto& [forgotten, went] : gone_) changes_.erase(went);
  gone_.clear();
  known_since_ = version_;
}

void RouteTable::ServiceChanged(const EntryPtr& before, const EntryPtr& after, const View& view) {
  if (after == nullptr) return Remove(before->key);
  Services& services = by_namespace_[NamespaceOf(after->key)];
  Service& service = services.by_name[NameOf(after->key)];
  const EntryPtr known = std::exchange(service.entry, after);
  if (known != nullptr) Index(&services, known, false);
  Index(&services, after, true);
  const v1::ServiceSpec& spec = after->object.service().spec();
  const bool is_new = known == nullptr || !(known->uid == after->uid);
  const bool address = is_new || !SameAddress(known, after);
  const bool choice = is_new || !SameChoice(known->object.service().spec(), spec);
  if (!address && !choice) return;
  const absl::btree_map<std::string, Member> members = std::exchange(service.members, {});
  Fill(&service, view);
  for (const auto& [name, member] : members) {
    const auto still = service.members.find(name);
    if (still == service.members.end() || !(still->second.uid == member.uid)) Leave(member.uid);
  }
  if (const auto gone = gone_.find(after->key); gone != gone_.end()) {
    changes_.erase(gone->second);
    gone_.erase(gone);
  }
  Stamp(after->key, &service.version);
  if (address) addresses_version_ = service.version;
}

void RouteTable::PodChanged(const EntryPtr& before, const EntryPtr& after) {
  const EntryPtr& pod = after != nullptr ? after : before;
  const auto services = by_namespace_.find(NamespaceOf(pod->key));
  if (services == by_namespace_.end()) return;
  const std::string name = NameOf(pod->key);
  std::set<std::string> candidates;
  AddCandidates(services->second, before, &candidates);
  AddCandidates(services->second, after, &candidates);
  for (const std::string& candidate : candidates) {
    Service& service = services->second.by_name.at(candidate);
    if (Update(&service, name, after)) Stamp(service.entry->key, &service.version);
  }
  // Of what is gone nobody asks any more.
  if (before != nullptr && (after == nullptr || !(before->uid == after->uid))) {
    left_.erase(before->uid);
  }
}

void RouteTable::Reset(const View& view) {
  by_namespace_.clear();
  changes_.clear();
  gone_.clear();
  left_.clear();
  for (const auto& [key, entry] : view.All(v1::Object::kService)) {
    Services& services = by_namespace_[NamespaceOf(key)];
    Service& service = services.by_name[NameOf(key)];
    service.entry = entry;
    Index(&services, entry, true);
    Fill(&service, view);
    Stamp(key, &service.version);
  }
  // Also without any service: what a node was told before may be another.
  ++version_;
  addresses_version_ = known_since_ = version_;
  for (const auto& [name_space, services] : by_namespace_) {
    const auto pods = view.All(v1::Object::kPod).Under("pods/" + name_space + "/");
    for (auto at = pods.begin(); at != pods.end(); ++at) {
      // Hardly any, so that most are left as they rest.
      const PodMarks& marks = at.kept().marks();
      if (!marks.terminating || marks.finished()) continue;
      const EntryPtr pod = at.entry();
      std::set<std::string> candidates;
      AddCandidates(services, pod, &candidates);
      const bool selected =
          std::any_of(candidates.begin(), candidates.end(),
                      [&services = services, &pod](const std::string& name) {
                        const EntryPtr& service = services.by_name.at(name).entry;
                        return Selects(service->object.service().spec(), pod->object.pod());
                      });
      if (selected) left_[pod->uid] = version_;
    }
  }
}

v1::ServiceRoute RouteTable::RouteOf(const Service& service) {
  const v1::Service& object = service.entry->object.service();
  v1::ServiceRoute route = AddressOf(object);
  const bool is_headless = IsHeadless(object.spec());
  for (const auto& [name, member] : service.members) {
    v1::Backend backend;
    backend.set_address(member.address);
    backend.set_node(member.node);
    backend.set_pod(name);
    if (is_headless) {
      backend.set_hostname(member.hostname);
      *route.add_members() = backend;
    }
    for (int i = 0; i < route.ports_size(); ++i) {
      const int32_t port = member.ports[static_cast<size_t>(i)];
      if (port == 0) continue;
      backend.set_port(port);
      *route.mutable_ports(i)->add_backends() = backend;
    }
  }
  return route;
}

std::shared_ptr<const v1::Routes> RouteTable::Since(int64_t version) {
  const int64_t since = IsAll(version) ? 0 : version;
  if (told_ == nullptr || told_->version() != version_ || told_since_ != since) {
    told_ = std::make_shared<const v1::Routes>(Changes(version));
    told_since_ = since;
  }
  return told_;
}

v1::Routes RouteTable::Changes(int64_t version) const {
  v1::Routes routes;
  routes.set_version(version_);
  routes.set_service_cidr(service_cidr_);
  routes.set_complete(IsAll(version));
  if (routes.complete()) {
    for (const auto& [name_space, services] : by_namespace_) {
      for (const auto& [name, service] : services.by_name)
        *routes.add_services() = RouteOf(service);
    }
    return routes;
  }
  for (auto at = changes_.upper_bound(version); at != changes_.end(); ++at) {
    if (const Service* service = Find(at->second); service != nullptr) {
      *routes.add_services() = RouteOf(*service);
    } else {
      routes.add_gone(PathOf(at->second));
    }
  }
  return routes;
}

int64_t RouteTable::LeftWith(const std::string& uid) const {
  const auto found = left_.find(UidKey(uid));
  return found == left_.end() ? 0 : found->second;
}

std::vector<std::string> RouteTable::Left() const {
  std::vector<std::string> uids;
  for (const auto& [uid, version] : left_) uids.push_back(uid.Text());
  return uids;
}

}  // namespace cluster::controller
