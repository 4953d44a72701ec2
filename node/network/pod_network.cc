#include "node/network/pod_network.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/netlink_route.h"
#include "base/status.h"

namespace cluster::node {
namespace {

constexpr char kRangeKey[] = "range";
constexpr char kCursorKey[] = "cursor";
// The ring's cursor is saved this far ahead, once for as many addresses.
constexpr uint32_t kCursorStep = 64;
constexpr size_t kLongestLinkName = 15;
// To end the links of spares.
constexpr absl::Duration kSparePatience = absl::Seconds(5);
// Smaller ranges have no room for gateway and pods, larger ones leave nothing to the other nodes.
constexpr int kShortestPrefix = 16;
constexpr int kLongestPrefix = 29;

absl::Status SetSysctl(const std::string& name, absl::string_view value) {
  return Annotate(WriteControlAt(AT_FDCWD, absl::StrCat("/proc/sys/net/ipv4/", name), value),
                  "let the node route for its pods");
}

absl::Status CheckConfig(const PodNetwork::Config& config) {
  if (config.bridge.empty() || config.bridge.size() > kLongestLinkName ||
      config.bridge.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_-") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("bridge name '", config.bridge, "' must be 1 to 15 letters, digits, - or _"));
  }
  if (config.journal == nullptr) return absl::InternalError("pod network without a journal");
  return absl::OkStatus();
}

std::vector<PortTarget> TargetsOf(const AddressLease& lease) {
  std::vector<PortTarget> targets;
  for (const PublishedPort& port : lease.ports) targets.push_back({port, lease.address});
  return targets;
}

}  // namespace

PodNetwork::PodNetwork(Config config, Sockets sockets, std::unique_ptr<Firewall> firewall,
                       std::unique_ptr<Conntrack> conntrack, UniqueFd wake)
    : config_(std::move(config)),
      socket_(std::move(sockets.requests)),
      listener_(std::move(sockets.listener)),
      watcher_socket_(std::move(sockets.watcher)),
      firewall_(std::move(firewall)),
      conntrack_(std::move(conntrack)),
      services_(TableName(config_.bridge), firewall_.get(), conntrack_.get()),
      wake_(std::move(wake)) {}

absl::StatusOr<std::unique_ptr<PodNetwork>> PodNetwork::Open(Config config) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(auto requests, netlink::Socket::Open());
  ASSIGN_OR_RETURN(auto listener, netlink::Socket::Open(NETLINK_ROUTE, RTMGRP_LINK));
  ASSIGN_OR_RETURN(auto watcher, netlink::Socket::Open());
  ASSIGN_OR_RETURN(auto firewall, Firewall::Open());
  ASSIGN_OR_RETURN(auto conntrack, Conntrack::Open());
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return ErrnoStatus("make eventfd");
  auto network = std::unique_ptr<PodNetwork>(new PodNetwork(
      std::move(config), Sockets{std::move(requests), std::move(listener), std::move(watcher)},
      std::move(firewall), std::move(conntrack), std::move(wake)));
  RETURN_IF_ERROR(network->PrepareBridge());
  RETURN_IF_ERROR(network->Load());
  network->watcher_ = std::thread([raw = network.get()] { raw->Watch(); });
  return network;
}

PodNetwork::~PodNetwork() {
  if (!watcher_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Wake();
  watcher_.join();
}

absl::Status PodNetwork::PrepareBridge() {
  const Mac mac = BridgeMac(config_.node);
  MutexLock lock(&socket_mutex_);
  RETURN_IF_ERROR(socket_.Execute(netlink::CreateBridge(config_.bridge, mac).Allow(EEXIST)));
  ASSIGN_OR_RETURN(const netlink::Link link, netlink::FindLink(socket_, config_.bridge));
  if (link.kind != "bridge") {
    return absl::FailedPreconditionError(
        absl::StrCat("link ", config_.bridge, " exists and is no bridge (",
                     link.kind.empty() ? "hardware" : link.kind, "): choose another --bridge"));
  }
  bridge_ = link.index;
  if (link.mac != mac || !link.up) {
    RETURN_IF_ERROR(socket_.Execute(netlink::ChangeLink(bridge_, {.up = true, .mac = mac})));
  }
  RETURN_IF_ERROR(SetSysctl("ip_forward", "1"));
  // Loose: a pod's packets may come back another way. Strict would win over this from conf/all
  // only.
  RETURN_IF_ERROR(SetSysctl(absl::StrCat("conf/", config_.bridge, "/rp_filter"), "2"));
  // Pods are told of no shorter way to each other: by it, the answers of a service's backend would
  // come back with an address that the client does not know. The kernel asks whether either of the
  // two allows it; other links have a switch of their own.
  for (const std::string& place : {std::string("all"), config_.bridge}) {
    RETURN_IF_ERROR(SetSysctl(absl::StrCat("conf/", place, "/send_redirects"), "0"));
  }
  localnet_.reset(::open("/proc/sys/net/ipv4/conf/all/route_localnet", O_WRONLY | O_CLOEXEC));
  if (!localnet_) return ErrnoStatus("open conf/all/route_localnet");
  // Pods speak IPv4 only; a bridge that listens to their router advertisements would be theirs to
  // steer.
  const absl::Status silenced = WriteControlAt(
      AT_FDCWD, absl::StrCat("/proc/sys/net/ipv6/conf/", config_.bridge, "/disable_ipv6"), "1");
  if (!silenced.ok() && !absl::IsNotFound(silenced)) return silenced;
  // 127.0.0.1:PORT of the node leads to the pod too; the table's guard keeps others out of 127/8.
  return SetSysctl(absl::StrCat("conf/", config_.bridge, "/route_localnet"), "1");
}

absl::Status PodNetwork::Load() {
  const auto text = config_.journal->Get(RecordKind::kNetwork, kRangeKey);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  const std::vector<std::string> words = absl::StrSplit(*text, ' ');
  if (words.size() != 2) {
    return absl::DataLossError(absl::StrCat("journal: pod range '", *text, "' cannot be read"));
  }
  Range range;
  ASSIGN_OR_RETURN(range.pods, ParseCidr(words[0]));
  ASSIGN_OR_RETURN(range.cluster, ParseCidr(words[1]));
  RETURN_IF_ERROR(ApplyRange(range));
  const auto cursor = config_.journal->Get(RecordKind::kNetwork, kCursorKey);
  MutexLock lock(&mutex_);
  if (cursor.ok()) {
    ASSIGN_OR_RETURN(const Ipv4 start, ParseIpv4(*cursor));
    pool_.StartAt(start);
  }
  for (const Record& record : config_.journal->All(RecordKind::kAddressLease)) {
    ASSIGN_OR_RETURN(AddressLease lease, DecodeLease(record.value));
    if (!pool_.TakeExactly(lease.address)) {
      return absl::DataLossError(absl::StrCat("journal: address ", ToString(lease.address),
                                              " of pod ", record.key, " is held twice or outside ",
                                              ToString(range.pods)));
    }
    tenants_[record.key] = Tenant{std::move(lease), false, false, {}, false};
  }
  return absl::OkStatus();
}

absl::Status PodNetwork::SetRange(const Cidr& pod_cidr, const Cidr& cluster_cidr) {
  const Range range{pod_cidr.Network(), cluster_cidr.Network()};
  bool changes = false;
  {
    MutexLock lock(&mutex_);
    changes = range_.has_value() && range_->pods != range.pods;
  }
  if (changes) GiveUpSpares();
  if (range.pods.prefix < kShortestPrefix || range.pods.prefix > kLongestPrefix ||
      !range.cluster.Contains(range.pods)) {
    return absl::InvalidArgumentError(
        absl::StrCat("pod range ", ToString(pod_cidr), " must be a /", kShortestPrefix, " to /",
                     kLongestPrefix, " within the cluster's ", ToString(cluster_cidr)));
  }
  {
    MutexLock lock(&mutex_);
    if (range_ == range) return absl::OkStatus();
    if (range_.has_value() && range_->pods != range.pods && !tenants_.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the node's pod range changes from ", ToString(range_->pods), " to ",
          ToString(range.pods), ", but ", tenants_.size(), " pods still have old addresses"));
    }
  }
  RETURN_IF_ERROR(
      config_.journal->Put(RecordKind::kNetwork, kRangeKey,
                           absl::StrCat(ToString(range.pods), " ", ToString(range.cluster))));
  return ApplyRange(range);
}

absl::Status PodNetwork::ApplyRange(const Range& range) {
  const netlink::Address gateway{bridge_, Cidr{GatewayOf(range.pods), range.pods.prefix}};
  {
    MutexLock lock(&socket_mutex_);
    ASSIGN_OR_RETURN(const auto addresses, netlink::ListAddresses(socket_));
    std::vector<netlink::Message> messages;
    for (const netlink::Address& address : addresses) {
      if (address.link != bridge_ || address.cidr == gateway.cidr) continue;
      messages.push_back(netlink::DeleteAddress(address));
    }
    messages.push_back(netlink::AddAddress(gateway).Allow(EEXIST));
    RETURN_IF_ERROR(socket_.Execute(messages));
  }
  std::vector<Ipv4> peers;
  {
    MutexLock lock(&mutex_);
    peers = peers_;
  }
  RETURN_IF_ERROR(firewall_->Run(absl::StrCat(BaseRules(config_.bridge, range.pods, range.cluster),
                                              PeerRules(TableName(config_.bridge), peers))));
  services_.PrepareBridge(range.pods, BridgeMac(config_.node));
  {
    MutexLock lock(&mutex_);
    if (!range_.has_value() || range_->pods != range.pods) {
      pool_ = AddressPool(range.pods, config_.hold_down);
    }
    range_ = range;
  }
  return ApplyServices();
}

std::optional<Cidr> PodNetwork::pod_range() const {
  MutexLock lock(&mutex_);
  if (!range_.has_value()) return std::nullopt;
  return range_->pods;
}

bool PodNetwork::GiveUpSpares() {
  {
    MutexLock lock(&mutex_);
    for (auto& [name, tenant] : tenants_) {
      if (!tenant.spare || tenant.released) continue;
      tenant.released = true;
      // Nobody lingers on it.
      tenant.released_at = config_.clock->Monotonic() - config_.linger;
    }
  }
  Wake();
  return AwaitReleased(kSparePatience);
}

absl::Status PodNetwork::CheckPorts(const std::string& uid,
                                    const std::vector<PublishedPort>& ports) const {
  if (ports.empty()) return absl::OkStatus();
  for (const auto& [other, tenant] : tenants_) {
    if (tenant.released || other == uid) continue;
    for (const PublishedPort& held : tenant.lease.ports) {
      const auto clash = std::find_if(ports.begin(), ports.end(),
                                      [&held](const auto& port) { return Collide(port, held); });
      if (clash == ports.end()) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("host port ", clash->host_port, "/", NameOf(clash->protocol),
                       " is taken by pod ", other, " on this node"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<AddressLease> PodNetwork::Claim(const std::string& uid,
                                               const std::vector<PublishedPort>& ports) {
  MutexLock lock(&mutex_);
  if (!range_.has_value()) {
    return absl::UnavailableError(
        "the node has no pod address range yet: waiting for the controller");
  }
  const auto found = tenants_.find(uid);
  if (found == tenants_.end()) {
    RETURN_IF_ERROR(CheckPorts(uid, ports));
    ASSIGN_OR_RETURN(const Ipv4 address, pool_.Take(config_.clock->Monotonic()));
    if (until_save_ > 0) --until_save_;
    return tenants_[uid].lease = AddressLease{address, ports};
  }
  if (found->second.released) {
    return absl::UnavailableError(absl::StrCat("the link of pod ", uid, " is still going away"));
  }
  if (found->second.lease.ports != ports) {
    return absl::InvalidArgumentError(
        absl::StrCat("host ports of pod ", uid, " cannot change while it lives"));
  }
  return found->second.lease;
}

absl::StatusOr<PodAddress> PodNetwork::AddressOf(const AddressLease& lease) const {
  MutexLock lock(&mutex_);
  return PodAddress{lease.address, range_->pods.prefix, pool_.gateway(), PodMac(lease.address)};
}

absl::Status PodNetwork::SaveCursor() {
  std::string cursor;
  {
    MutexLock lock(&mutex_);
    if (until_save_ > 0) return absl::OkStatus();
    until_save_ = kCursorStep;
    cursor = ToString(pool_.Ahead(kCursorStep));
  }
  return config_.journal->Put(RecordKind::kNetwork, kCursorKey, cursor);
}

absl::StatusOr<PodAddress> PodNetwork::Reserve(const std::string& uid,
                                               const std::vector<PublishedPort>& ports) {
  ASSIGN_OR_RETURN(const AddressLease lease, Claim(uid, ports));
  absl::Status kept = SaveCursor();
  if (kept.ok()) {
    kept = config_.journal->Put(RecordKind::kAddressLease, uid, EncodeLease(lease));
  }
  if (kept.ok()) return AddressOf(lease);
  MutexLock lock(&mutex_);
  until_save_ = 0;
  if (tenants_.erase(uid) > 0) pool_.GiveBack(lease.address, config_.clock->Monotonic());
  return kept;
}

absl::Status PodNetwork::ReserveSpare(const std::string& name) {
  RETURN_IF_ERROR(Reserve(name, {}).status());
  MutexLock lock(&mutex_);
  tenants_[name].spare = true;
  return absl::OkStatus();
}

absl::StatusOr<PodAddress> PodNetwork::Hand(const std::string& spare, const std::string& uid,
                                            const std::vector<PublishedPort>& ports) {
  AddressLease lease;
  {
    MutexLock lock(&mutex_);
    const auto found = tenants_.find(spare);
    if (found == tenants_.end() || found->second.released || tenants_.count(uid) > 0) {
      return absl::NotFoundError(absl::StrCat("network ", spare, " cannot be handed over"));
    }
    RETURN_IF_ERROR(CheckPorts(uid, ports));
    lease = found->second.lease;
    lease.link = LinkNameOf(spare, lease);
    lease.ports = ports;
    tenants_.erase(found);
    tenants_[uid] = Tenant{lease, false, false, {}, false};
  }
  // In this order: no two records ever have one address. An agent that dies in between takes the
  // spare's namespace with it, and the link is a stray one.
  RETURN_IF_ERROR(config_.journal->Remove(RecordKind::kAddressLease, spare));
  RETURN_IF_ERROR(config_.journal->Put(RecordKind::kAddressLease, uid, EncodeLease(lease)));
  if (!ports.empty()) {
    RETURN_IF_ERROR(firewall_->Run(PortRules(TableName(config_.bridge), {}, TargetsOf(lease))));
    RETURN_IF_ERROR(conntrack_->Forget(lease.ports));
  }
  return AddressOf(lease);
}

absl::Status PodNetwork::Execute(const std::vector<netlink::Message>& messages) {
  MutexLock lock(&socket_mutex_);
  return socket_.Execute(messages);
}

absl::Status PodNetwork::CreateLink(const std::string& uid, const AddressLease& lease, int netns_fd,
                                    netlink::Socket& inside) {
  const std::string name = LinkNameOf(uid, lease);
  const std::vector<netlink::Message> messages =
      HostMessages({name, bridge_, config_.mtu, lease.address, netns_fd});
  MutexLock lock(&socket_mutex_);
  const absl::Status made = socket_.Execute(messages);
  if (!absl::IsAlreadyExists(made)) return made;
  const auto outer = netlink::FindLink(socket_, name);
  const auto inner = netlink::FindLink(inside, kPodLink);
  if (absl::IsNotFound(outer.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("the network namespace of pod ", uid, " has an eth0 that is not ours"));
  }
  RETURN_IF_ERROR(outer.status());
  // Ours from an attempt before this one, or of an earlier namespace of the pod, which then goes.
  if (inner.ok() && inner->peer == outer->index && outer->peer == inner->index) {
    return socket_.Execute({messages.begin() + 1, messages.end()});
  }
  RETURN_IF_ERROR(socket_.Execute(netlink::DeleteLink(name).Allow(ENODEV)));
  return socket_.Execute(messages);
}

absl::Status PodNetwork::Attach(const std::string& uid, int netns_fd, UniqueFd route_socket) {
  AddressLease lease;
  {
    MutexLock lock(&mutex_);
    const auto found = tenants_.find(uid);
    if (found == tenants_.end() || found->second.released) {
      return absl::NotFoundError(absl::StrCat("pod ", uid, " has no address reserved"));
    }
    lease = found->second.lease;
  }
  ASSIGN_OR_RETURN(const PodAddress address, AddressOf(lease));
  ASSIGN_OR_RETURN(netlink::Socket inside, route_socket.valid()
                                               ? netlink::Socket::Adopt(std::move(route_socket))
                                               : netlink::Socket::OpenInNetns(netns_fd));
  RETURN_IF_ERROR(CreateLink(uid, lease, netns_fd, inside));
  ASSIGN_OR_RETURN(const netlink::Link eth0, netlink::FindLink(inside, kPodLink));
  RETURN_IF_ERROR(inside.Execute(InsideMessages(eth0.index, address, BridgeMac(config_.node))));
  {
    // Asking for a link makes the kernel act on its carrier now; otherwise it does so when it finds
    // the time, and the bridge passes nothing on until then. See linkwatch_sync_dev().
    MutexLock lock(&socket_mutex_);
    RETURN_IF_ERROR(netlink::FindLink(socket_, LinkNameOf(uid, lease)).status());
  }
  RETURN_IF_ERROR(firewall_->Run(PortRules(TableName(config_.bridge), {}, TargetsOf(lease))));
  // Clients that tried before the port was there are tracked as going elsewhere.
  return conntrack_->Forget(lease.ports);
}

absl::Status PodNetwork::Unplug(const std::string& uid) {
  std::string link;
  {
    MutexLock lock(&mutex_);
    const auto found = tenants_.find(uid);
    if (found == tenants_.end()) return absl::OkStatus();
    link = LinkNameOf(uid, found->second.lease);
  }
  return Execute({netlink::ChangeLink(link, {.master = 0}).Allow(ENODEV)});
}

absl::Status PodNetwork::Release(const std::string& uid) {
  AddressLease lease;
  {
    MutexLock lock(&mutex_);
    const auto found = tenants_.find(uid);
    if (found == tenants_.end()) return absl::OkStatus();
    if (!found->second.released) found->second.released_at = config_.clock->Monotonic();
    found->second.released = true;
    lease = found->second.lease;
  }
  Wake();
  return firewall_->Run(PortRules(TableName(config_.bridge), TargetsOf(lease), {}));
}

absl::Status PodNetwork::SetPeers(const std::vector<NetworkPeer>& peers) {
  std::vector<NetworkPeer> sound;
  std::set<Ipv4> addresses;
  bool has_table = false;
  absl::Status first;
  {
    MutexLock lock(&mutex_);
    has_table = range_.has_value();
    for (const NetworkPeer& peer : peers) {
      if (has_table && (range_->pods.Contains(peer.pod_cidr.Network()) ||
                        peer.pod_cidr.Contains(range_->pods))) {
        first.Update(absl::InvalidArgumentError(
            absl::StrCat("node ", peer.node, " has the pod range ", ToString(peer.pod_cidr),
                         ", which is this node's own")));
        continue;
      }
      sound.push_back(peer);
      addresses.insert(peer.address);
    }
    peers_.assign(addresses.begin(), addresses.end());
  }
  {
    MutexLock lock(&socket_mutex_);
    ASSIGN_OR_RETURN(const auto present, netlink::ListRoutes(socket_, kRouteProtocol));
    first.Update(socket_.Execute(RouteChanges(present, sound)));
  }
  if (has_table) {
    first.Update(
        firewall_->Run(PeerRules(TableName(config_.bridge), {addresses.begin(), addresses.end()})));
  }
  return first;
}

absl::Status PodNetwork::DeleteStrayLinks() {
  std::set<std::string> owned;
  std::set<Ipv4> addresses;
  {
    MutexLock lock(&mutex_);
    for (const auto& [uid, tenant] : tenants_) {
      owned.insert(LinkNameOf(uid, tenant.lease));
      addresses.insert(tenant.lease.address);
    }
  }
  MutexLock lock(&socket_mutex_);
  ASSIGN_OR_RETURN(const auto links, netlink::ListLinks(socket_));
  std::vector<netlink::Message> messages;
  for (const netlink::Link& link : links) {
    if (link.kind != "veth" || link.master != bridge_ ||
        !absl::StartsWith(link.name, kPodLinkPrefix) || owned.count(link.name) > 0) {
      continue;
    }
    messages.push_back(netlink::DeleteLink(link.index).Allow(ENODEV));
  }
  ASSIGN_OR_RETURN(const auto neighbours, netlink::ListNeighbours(socket_));
  for (const netlink::Neighbour& neighbour : neighbours) {
    if (neighbour.link != bridge_ || !neighbour.permanent ||
        addresses.count(neighbour.address) > 0) {
      continue;
    }
    messages.push_back(netlink::DeleteNeighbour(neighbour.link, neighbour.address).Allow(ENOENT));
  }
  return socket_.Execute(messages);
}

absl::Status PodNetwork::Recover(const std::vector<std::string>& live) {
  const std::set<std::string> alive(live.begin(), live.end());
  std::vector<PortTarget> targets;
  bool has_table = false;
  {
    MutexLock lock(&mutex_);
    has_table = range_.has_value();
    for (auto& [uid, tenant] : tenants_) {
      if (alive.count(uid) == 0) {
        tenant.released = true;
        tenant.released_at = config_.clock->Monotonic();
      } else {
        for (const PortTarget& target : TargetsOf(tenant.lease)) targets.push_back(target);
      }
    }
  }
  Wake();
  RETURN_IF_ERROR(DeleteStrayLinks());
  if (!has_table) return absl::OkStatus();
  return firewall_->Run(AllPortRules(TableName(config_.bridge), targets));
}

absl::Status PodNetwork::RemoveAll() {
  RETURN_IF_ERROR(Recover({}));
  RETURN_IF_ERROR(SetPeers({}));
  // What the table guards is closed before it goes.
  RETURN_IF_ERROR(RouteLocalnet(false));
  RETURN_IF_ERROR(services_.Remove());
  RETURN_IF_ERROR(firewall_->Run(DeleteTableRules(TableName(config_.bridge))));
  {
    MutexLock lock(&mutex_);
    range_.reset();
  }
  for (const char* key : {kRangeKey, kCursorKey}) {
    RETURN_IF_ERROR(config_.journal->Remove(RecordKind::kNetwork, key));
  }
  return Execute({netlink::DeleteLink(config_.bridge).Allow(ENODEV)});
}

}  // namespace cluster::node
