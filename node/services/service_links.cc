#include "node/services/service_links.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace cluster::node {
namespace {

std::string VariableOf(const std::string& name) {
  return absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}}));
}

const char* WordOf(v1::Protocol protocol) {
  if (protocol == v1::PROTOCOL_UDP) return "udp";
  return protocol == v1::PROTOCOL_SCTP ? "sctp" : "tcp";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> ServiceLinks(
    const std::vector<v1::ServiceRoute>& services) {
  std::vector<std::pair<std::string, std::string>> links;
  for (const v1::ServiceRoute& service : services) {
    if (service.cluster_ip().empty() || service.ports().empty()) continue;
    const std::string name = VariableOf(service.name());
    const std::string& host = service.cluster_ip();
    links.emplace_back(name + "_SERVICE_HOST", host);
    links.emplace_back(name + "_SERVICE_PORT", absl::StrCat(service.ports(0).port()));
    for (const v1::ServicePortRoute& port : service.ports()) {
      if (port.name().empty()) continue;
      links.emplace_back(absl::StrCat(name, "_SERVICE_PORT_", VariableOf(port.name())),
                         absl::StrCat(port.port()));
    }
    for (int i = 0; i < service.ports_size(); ++i) {
      const v1::ServicePortRoute& port = service.ports(i);
      const std::string word = WordOf(port.protocol());
      const std::string url = absl::StrCat(word, "://", host, ":", port.port());
      const std::string prefix =
          absl::StrCat(name, "_PORT_", port.port(), "_", absl::AsciiStrToUpper(word));
      if (i == 0) links.emplace_back(name + "_PORT", url);
      links.emplace_back(prefix, url);
      links.emplace_back(prefix + "_PROTO", word);
      links.emplace_back(prefix + "_PORT", absl::StrCat(port.port()));
      links.emplace_back(prefix + "_ADDR", host);
    }
  }
  return links;
}

}  // namespace cluster::node
