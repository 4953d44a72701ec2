#include "cli/commands/forward_ports.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/session.h"

#include "base/status.h"
#include "proto/schema/service_types.h"

namespace cluster::cli {
namespace {

std::optional<uint16_t> NumberOf(absl::string_view text) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  int number = 0;
  if (!digits || !absl::SimpleAtoi(text, &number) || number > 65535) return std::nullopt;
  return static_cast<uint16_t>(number);
}

absl::StatusOr<uint16_t> RemotePort(const std::string& word, absl::string_view text,
                                    const v1::Pod& pod) {
  const std::optional<uint16_t> number = NumberOf(text);
  if (number.has_value() && *number > 0) return *number;
  const bool may_be_name =
      std::any_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalpha(c); });
  if (!may_be_name) {
    return UsageError(absl::StrCat(
        "\"", word, "\" names no port of the pod; write LOCAL:REMOTE, such as 8080:80"));
  }
  for (const v1::Container& container : pod.spec().containers()) {
    for (const v1::ContainerPort& port : container.ports()) {
      if (port.name() == text) return static_cast<uint16_t>(port.container_port());
    }
  }
  return absl::NotFoundError(
      absl::StrCat("pod ", pod.metadata().name(), " has no port named \"", text, "\""));
}

absl::StatusOr<v1::ServicePort> FindServicePort(absl::string_view text,
                                                const v1::Service& service) {
  std::vector<std::string> known;
  for (const v1::ServicePort& port : service.spec().ports()) {
    if (port.protocol() != v1::PROTOCOL_TCP) continue;
    if (text == port.name() || text == absl::StrCat(port.port())) return port;
    known.push_back(absl::StrCat(port.port()));
  }
  return absl::NotFoundError(
      absl::StrCat("service ", service.metadata().name(), " has no TCP port ", text,
                   known.empty() ? "" : absl::StrCat("; it has ", absl::StrJoin(known, ", "))));
}

}  // namespace

absl::StatusOr<ForwardedPort> ParseForwardedPort(const std::string& word, const v1::Pod& pod) {
  const std::vector<std::string> parts = absl::StrSplit(word, ':');
  if (parts.size() > 2) {
    return UsageError(
        absl::StrCat("\"", word, "\" has too many colons; write LOCAL:REMOTE, such as 8080:80"));
  }
  ForwardedPort port;
  ASSIGN_OR_RETURN(port.remote, RemotePort(word, parts.back(), pod));
  if (parts.size() == 1) {
    port.local = port.remote;
    return port;
  }
  const std::optional<uint16_t> local = parts[0].empty() ? 0 : NumberOf(parts[0]);
  if (!local.has_value()) {
    return UsageError(absl::StrCat("\"", parts[0],
                                   "\" is no port to listen on; use 0 to 65535, or nothing for "
                                   "any that is free"));
  }
  port.local = *local;
  return port;
}

absl::StatusOr<std::vector<ForwardedPort>> ParseForwardedPorts(
    const std::vector<std::string>& words, const v1::Pod& pod) {
  if (words.empty()) {
    return UsageError("name a port: clusterctl port-forward web-1 8080:80");
  }
  std::vector<ForwardedPort> ports;
  for (const std::string& word : words) {
    ASSIGN_OR_RETURN(ports.emplace_back(), ParseForwardedPort(word, pod));
  }
  return ports;
}

absl::StatusOr<std::vector<std::string>> ToPodPorts(const std::vector<std::string>& words,
                                                    const v1::Service& service) {
  std::vector<std::string> translated;
  for (const std::string& word : words) {
    const size_t colon = word.rfind(':');
    const bool alone = colon == std::string::npos;
    ASSIGN_OR_RETURN(const v1::ServicePort port,
                     FindServicePort(alone ? word : word.substr(colon + 1), service));
    // Whoever looks a headless service up reaches its pods themselves.
    const std::string target =
        IsHeadless(service.spec()) ? absl::StrCat(port.port()) : port.target_port();
    const std::string local = alone ? absl::StrCat(port.port()) : word.substr(0, colon);
    translated.push_back(absl::StrCat(local, ":", target));
  }
  return translated;
}

}  // namespace cluster::cli
