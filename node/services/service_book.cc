#include "node/services/service_book.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

std::string KeyOf(const v1::ServiceRoute& route) {
  return absl::StrCat(route.namespace_(), "/", route.name());
}

v1::ServiceRoute AddressOf(const v1::ServiceRoute& route) {
  v1::ServiceRoute address;
  address.set_namespace_(route.namespace_());
  address.set_name(route.name());
  address.set_cluster_ip(route.cluster_ip());
  address.set_external_name(route.external_name());
  for (const v1::ServicePortRoute& port : route.ports()) {
    v1::ServicePortRoute* to = address.add_ports();
    to->set_name(port.name());
    to->set_protocol(port.protocol());
    to->set_port(port.port());
  }
  return address;
}

bool SameAddresses(const KnownServices& a, const KnownServices& b) {
  if (a.service_cidr != b.service_cidr || a.all.size() != b.all.size()) return false;
  for (auto left = a.all.begin(), right = b.all.begin(); left != a.all.end(); ++left, ++right) {
    if (left->first != right->first) return false;
    if (left->second != right->second && AddressOf(*left->second).SerializeAsString() !=
                                             AddressOf(*right->second).SerializeAsString()) {
      return false;
    }
  }
  return true;
}

}  // namespace

void ServiceBook::Restore(const v1::KnownServicesRecord& record) {
  auto table = std::make_shared<KnownServices>();
  table->service_cidr = record.service_cidr();
  for (const v1::ServiceRoute& route : record.services()) {
    table->all[KeyOf(route)] = std::make_shared<const v1::ServiceRoute>(route);
  }
  MutexLock lock(&mutex_);
  table_ = std::move(table);
}

bool ServiceBook::Apply(const v1::Routes& routes) {
  const std::shared_ptr<const KnownServices> before = table();
  auto after = std::make_shared<KnownServices>();
  if (!routes.complete()) *after = *before;
  after->is_told = true;
  after->service_cidr = routes.service_cidr();
  for (const std::string& key : routes.gone()) after->all.erase(key);
  for (const v1::ServiceRoute& route : routes.services()) {
    after->all[KeyOf(route)] = std::make_shared<const v1::ServiceRoute>(route);
  }
  const bool others = !SameAddresses(*before, *after);
  MutexLock lock(&mutex_);
  table_ = std::move(after);
  return others;
}

std::shared_ptr<const KnownServices> ServiceBook::table() const {
  MutexLock lock(&mutex_);
  return table_;
}

v1::KnownServicesRecord ServiceBook::Record() const {
  const std::shared_ptr<const KnownServices> now = table();
  v1::KnownServicesRecord record;
  record.set_service_cidr(now->service_cidr);
  for (const auto& [key, route] : now->all) *record.add_services() = AddressOf(*route);
  return record;
}

std::vector<v1::ServiceRoute> ServiceBook::In(const std::string& name_space) const {
  std::vector<v1::ServiceRoute> routes;
  const std::string prefix = absl::StrCat(name_space, "/");
  const std::shared_ptr<const KnownServices> now = table();
  for (auto at = now->all.lower_bound(prefix);
       at != now->all.end() && at->first.compare(0, prefix.size(), prefix) == 0; ++at) {
    routes.push_back(AddressOf(*at->second));
  }
  return routes;
}

}  // namespace cluster::node
