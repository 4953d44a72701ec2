#include "cli/local/hub.h"

#include <fcntl.h>

#include "absl/strings/str_cat.h"
#include "cli/local/namespaces.h"

#include "base/file.h"
#include "base/netlink_route.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

constexpr char kBridge[] = "hub";
constexpr char kNodeLink[] = "eth0";
constexpr int kPrefix = 16;

struct Opened {
  UniqueFd ns;
  netlink::Socket socket;
};

absl::StatusOr<Opened> OpenPinned(const std::string& pin) {
  ASSIGN_OR_RETURN(UniqueFd ns, OpenAt(AT_FDCWD, pin, O_RDONLY));
  ASSIGN_OR_RETURN(netlink::Socket socket, netlink::Socket::OpenInNetns(ns.get()));
  return Opened{std::move(ns), std::move(socket)};
}

// Locally administered, and the same for the same address: no stale neighbour entry is ever wrong.
absl::StatusOr<std::pair<Cidr, Mac>> AddressOf(const std::string& text) {
  ASSIGN_OR_RETURN(const Ipv4 address, ParseIpv4(text));
  const Mac mac{0x02,
                0x63,
                static_cast<uint8_t>(address.value >> 24),
                static_cast<uint8_t>(address.value >> 16),
                static_cast<uint8_t>(address.value >> 8),
                static_cast<uint8_t>(address.value)};
  return std::make_pair(Cidr{address, kPrefix}, mac);
}

absl::Status AddAddress(netlink::Socket& socket, const std::string& link, const Cidr& cidr) {
  ASSIGN_OR_RETURN(const netlink::Link found, netlink::FindLink(socket, link));
  return socket.Execute(netlink::AddAddress({found.index, cidr}).Allow(EEXIST));
}

}  // namespace

absl::Status MakeHub(const Layout& layout, const Definition& definition) {
  RETURN_IF_ERROR(PinNewNetns(layout.NetNs("hub")));
  ASSIGN_OR_RETURN(Opened hub, OpenPinned(layout.NetNs("hub")));
  ASSIGN_OR_RETURN(const auto address, AddressOf(definition.controller_address));
  RETURN_IF_ERROR(
      hub.socket.Execute({netlink::ChangeLink("lo", {.up = true}),
                          netlink::CreateBridge(kBridge, address.second).Allow(EEXIST)}));
  return AddAddress(hub.socket, kBridge, address.first);
}

absl::Status ConnectNode(const Layout& layout, const LocalNode& node) {
  if (IsPinned(layout.NetNs(node.name))) return absl::OkStatus();
  ASSIGN_OR_RETURN(Opened hub, OpenPinned(layout.NetNs("hub")));
  ASSIGN_OR_RETURN(const netlink::Link bridge, netlink::FindLink(hub.socket, kBridge));
  ASSIGN_OR_RETURN(const auto address, AddressOf(node.address));
  RETURN_IF_ERROR(PinNewNetns(layout.NetNs(node.name)));
  ASSIGN_OR_RETURN(Opened inside, OpenPinned(layout.NetNs(node.name)));
  RETURN_IF_ERROR(hub.socket.Execute(netlink::CreateVeth({.name = node.name,
                                                          .master = bridge.index,
                                                          .peer_name = kNodeLink,
                                                          .peer_mac = address.second,
                                                          .peer_netns_fd = inside.ns.get()})));
  RETURN_IF_ERROR(inside.socket.Execute(
      {netlink::ChangeLink("lo", {.up = true}), netlink::ChangeLink(kNodeLink, {.up = true})}));
  return AddAddress(inside.socket, kNodeLink, address.first);
}

absl::Status DisconnectNode(const Layout& layout, const LocalNode& node) {
  if (IsPinned(layout.NetNs("hub"))) {
    ASSIGN_OR_RETURN(Opened hub, OpenPinned(layout.NetNs("hub")));
    RETURN_IF_ERROR(hub.socket.Execute(netlink::DeleteLink(node.name).Allow(ENODEV)));
  }
  return Unpin(layout.NetNs(node.name));
}

absl::Status SetNodeLink(const Layout& layout, const LocalNode& node, bool up) {
  ASSIGN_OR_RETURN(Opened hub, OpenPinned(layout.NetNs("hub")));
  ASSIGN_OR_RETURN(const netlink::Link bridge, netlink::FindLink(hub.socket, kBridge));
  // Taken out of the bridge the port keeps its carrier: neither side notices, packets just stop.
  return hub.socket.Execute(netlink::ChangeLink(node.name, {.master = up ? bridge.index : 0}));
}

absl::StatusOr<bool> IsPartitioned(const Layout& layout, const LocalNode& node) {
  ASSIGN_OR_RETURN(Opened hub, OpenPinned(layout.NetNs("hub")));
  ASSIGN_OR_RETURN(const netlink::Link port, netlink::FindLink(hub.socket, node.name));
  return port.master == 0;
}

}  // namespace cluster::cli
