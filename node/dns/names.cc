#include "node/dns/names.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cluster::node {
namespace {

constexpr char kReverse[] = ".in-addr.arpa";
// Of "Kubernetes DNS-Based Service Discovery".
constexpr char kVersion[] = "1.1.0";
// ExternalNames that lead to each other.
constexpr int kMostAliases = 8;

bool Wants(RecordType asked, RecordType type) { return asked == type || asked == RecordType::kAny; }

std::string ProtocolLabel(v1::Protocol protocol) {
  if (protocol == v1::PROTOCOL_UDP) return "_udp";
  return protocol == v1::PROTOCOL_SCTP ? "_sctp" : "_tcp";
}

// Of a pod behind a headless service.
std::string HostOf(const v1::Backend& backend) {
  return backend.hostname().empty() ? absl::StrReplaceAll(backend.address(), {{".", "-"}})
                                    : backend.hostname();
}

void AddAddress(const std::string& owner, const std::string& address,
                std::vector<NameRecord>* records) {
  const absl::StatusOr<Ipv4> parsed = ParseIpv4(address);
  if (!parsed.ok()) return;  // of another family, for instance
  NameRecord record;
  record.owner = owner;
  record.type = RecordType::kA;
  record.address = *parsed;
  records->push_back(std::move(record));
}

// "7.0.64.10.in-addr.arpa"
std::optional<Ipv4> ReverseAddress(absl::string_view name) {
  if (!absl::EndsWith(name, kReverse)) return std::nullopt;
  name.remove_suffix(sizeof(kReverse) - 1);
  std::vector<absl::string_view> parts = absl::StrSplit(name, '.');
  std::reverse(parts.begin(), parts.end());
  const absl::StatusOr<Ipv4> address = ParseIpv4(absl::StrJoin(parts, "."));
  if (!address.ok()) return std::nullopt;
  return *address;
}

// Of a name that none of ours can be.
NameAnswer NeverThere() {
  NameAnswer answer;
  answer.code = ResponseCode::kNoSuchName;
  return answer;
}

// Who is behind a headless service, before the controller is heard.
NameAnswer NobodyKnows() {
  NameAnswer answer;
  answer.is_stale = true;
  answer.code = ResponseCode::kServerFailure;
  return answer;
}

}  // namespace

Names::Names(std::shared_ptr<const KnownServices> table, std::string domain)
    : table_(std::move(table)), domain_(std::move(domain)) {}

std::string Names::NameOf(const v1::ServiceRoute& service) const {
  return absl::StrCat(service.name(), ".", service.namespace_(), ".svc.", domain_);
}

NameAnswer Names::NoSuchName() const {
  NameAnswer answer;
  answer.is_stale = !table_->is_told;
  // Nobody ever told anything: then this is no knowledge.
  answer.code =
      table_->service_cidr.empty() ? ResponseCode::kServerFailure : ResponseCode::kNoSuchName;
  return answer;
}

NameAnswer Names::Find(const std::string& name, RecordType type) const {
  return Find(name, type, 0);
}

NameAnswer Names::Find(const std::string& name, RecordType type, int depth) const {
  NameAnswer answer;
  if (const std::optional<Ipv4> address = ReverseAddress(name)) return FindAddress(*address, type);
  absl::string_view rest = name;
  if (!absl::ConsumeSuffix(&rest, domain_) || (!rest.empty() && rest.back() != '.')) {
    answer.is_ours = false;
    return answer;
  }
  if (!absl::ConsumeSuffix(&rest, ".")) return answer;  // the domain itself
  Labels labels = absl::StrSplit(rest, '.');
  std::reverse(labels.begin(), labels.end());
  if (labels[0] == "dns-version" && labels.size() == 1) return FindVersion(type);
  if (labels[0] != "svc") return NeverThere();
  labels.erase(labels.begin());
  return FindInServices(labels, type, depth);
}

bool Names::HasNamespace(absl::string_view name_space) const {
  const std::string prefix = absl::StrCat(name_space, "/");
  const auto at = table_->all.lower_bound(prefix);
  return at != table_->all.end() && absl::StartsWith(at->first, prefix);
}

NameAnswer Names::FindInServices(const Labels& labels, RecordType type, int depth) const {
  if (labels.empty()) return NameAnswer();
  const bool is_port =
      labels.size() == 4 && absl::StartsWith(labels[2], "_") && absl::StartsWith(labels[3], "_");
  if (labels.size() > 3 && !is_port) return NeverThere();
  if (labels.size() == 1) return HasNamespace(labels[0]) ? NameAnswer() : NoSuchName();
  const auto found = table_->all.find(absl::StrCat(labels[0], "/", labels[1]));
  if (found == table_->all.end()) return NoSuchName();
  const v1::ServiceRoute& service = *found->second;
  if (labels.size() == 2) return FindService(service, type, depth);
  if (!service.external_name().empty()) return NoSuchName();
  if (is_port) return FindPort(service, labels[3], labels[2], type);
  const bool is_protocol =
      std::any_of(service.ports().begin(), service.ports().end(), [&labels](const auto& port) {
        return !port.name().empty() && ProtocolLabel(port.protocol()) == labels[2];
      });
  return is_protocol ? NameAnswer() : FindHost(service, labels[2], type);
}

NameAnswer Names::FindService(const v1::ServiceRoute& service, RecordType type, int depth) const {
  NameAnswer answer;
  if (!service.external_name().empty()) {
    NameRecord alias;
    alias.type = RecordType::kCname;
    alias.target = absl::AsciiStrToLower(absl::StripSuffix(service.external_name(), "."));
    const std::string target = alias.target;
    answer.records.push_back(std::move(alias));
    if (Wants(type, RecordType::kCname)) return answer;
    if (depth == kMostAliases) {
      answer.code = ResponseCode::kServerFailure;
      return answer;
    }
    NameAnswer next = Find(target, type, depth + 1);
    if (!next.is_ours) {
      answer.elsewhere = target;
      return answer;
    }
    for (NameRecord& record : next.records) {
      if (record.owner.empty()) record.owner = target;
      answer.records.push_back(std::move(record));
    }
    answer.additional = std::move(next.additional);
    answer.code = next.code;
    answer.is_stale = next.is_stale;
    answer.elsewhere = std::move(next.elsewhere);
    return answer;
  }
  const bool is_headless = service.cluster_ip().empty();
  if (is_headless && !table_->is_told) return NobodyKnows();
  if (Wants(type, RecordType::kA)) {
    if (!is_headless) AddAddress("", service.cluster_ip(), &answer.records);
    // Pods in a node's own network share its address.
    std::set<std::string> addresses;
    for (const v1::Backend& member : service.members()) addresses.insert(member.address());
    for (const std::string& address : addresses) AddAddress("", address, &answer.records);
  }
  if (type == RecordType::kSrv) {
    Seen seen;
    for (const v1::ServicePortRoute& port : service.ports()) {
      AddServers(service, port, &seen, &answer);
    }
  }
  return answer;
}

void Names::AddServers(const v1::ServiceRoute& service, const v1::ServicePortRoute& port,
                       Seen* seen, NameAnswer* answer) const {
  const auto add = [=](const std::string& target, int32_t number, const std::string& address) {
    if (seen->addresses.emplace(target, address).second) {
      AddAddress(target, address, &answer->additional);
    }
    if (!seen->servers.emplace(target, number).second) return;
    NameRecord server;
    server.type = RecordType::kSrv;
    server.target = target;
    server.port = static_cast<uint16_t>(number);
    answer->records.push_back(std::move(server));
  };
  const std::string name = NameOf(service);
  if (!service.cluster_ip().empty()) return add(name, port.port(), service.cluster_ip());
  for (const v1::Backend& backend : port.backends()) {
    add(absl::StrCat(HostOf(backend), ".", name), backend.port(), backend.address());
  }
}

NameAnswer Names::FindPort(const v1::ServiceRoute& service, absl::string_view port,
                           absl::string_view protocol, RecordType type) const {
  const auto found =
      std::find_if(service.ports().begin(), service.ports().end(), [&](const auto& each) {
        return !each.name().empty() && absl::StrCat("_", each.name()) == port &&
               ProtocolLabel(each.protocol()) == protocol;
      });
  if (found == service.ports().end()) return NoSuchName();
  if (service.cluster_ip().empty() && !table_->is_told) return NobodyKnows();
  NameAnswer answer;
  Seen seen;
  if (Wants(type, RecordType::kSrv)) AddServers(service, *found, &seen, &answer);
  return answer;
}

NameAnswer Names::FindHost(const v1::ServiceRoute& service, absl::string_view host,
                           RecordType type) const {
  if (service.cluster_ip().empty() && !table_->is_told) return NobodyKnows();
  NameAnswer answer;
  bool is_there = false;
  for (const v1::Backend& member : service.members()) {
    if (HostOf(member) != host) continue;
    is_there = true;
    if (Wants(type, RecordType::kA)) AddAddress("", member.address(), &answer.records);
  }
  return is_there ? answer : NoSuchName();
}

// Looked for one by one: it is asked for seldom, and the table changes often.
std::string Names::OwnerOf(const std::string& address) const {
  for (const auto& [key, service] : table_->all) {
    if (service->cluster_ip() == address) return NameOf(*service);
    for (const v1::Backend& member : service->members()) {
      if (member.address() != address || member.hostname().empty()) continue;
      return absl::StrCat(member.hostname(), ".", NameOf(*service));
    }
  }
  return "";
}

NameAnswer Names::FindAddress(Ipv4 address, RecordType type) const {
  NameAnswer answer;
  const std::string owner = OwnerOf(ToString(address));
  if (!owner.empty()) {
    if (!Wants(type, RecordType::kPtr)) return answer;
    NameRecord pointer;
    pointer.type = RecordType::kPtr;
    pointer.target = owner;
    answer.records.push_back(std::move(pointer));
    return answer;
  }
  const absl::StatusOr<Cidr> services = ParseCidr(table_->service_cidr);
  if (services.ok() && services->Contains(address)) return NoSuchName();
  answer.is_ours = false;
  return answer;
}

NameAnswer Names::FindVersion(RecordType type) {
  NameAnswer answer;
  if (!Wants(type, RecordType::kTxt)) return answer;
  NameRecord version;
  version.type = RecordType::kTxt;
  version.target = kVersion;
  answer.records.push_back(std::move(version));
  return answer;
}

}  // namespace cluster::node
