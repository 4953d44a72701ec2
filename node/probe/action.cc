#include "node/probe/action.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::node {
namespace {

absl::StatusOr<uint16_t> PortOf(const std::string& text, const v1::Container& container) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number >= 1 && number <= 65535) {
    return static_cast<uint16_t>(number);
  }
  for (const v1::ContainerPort& port : container.ports()) {
    if (port.name() == text) return static_cast<uint16_t>(port.container_port());
  }
  return absl::InvalidArgumentError(
      absl::StrCat("container ", container.name(), " has no port \"", text, "\""));
}

absl::StatusOr<Action> HttpOf(const v1::HttpGetAction& get, const v1::Container& container,
                              const std::string& pod_ip) {
  HttpAction action;
  action.tls = get.scheme() == v1::URI_SCHEME_HTTPS;
  action.host = get.host().empty() ? pod_ip : get.host();
  ASSIGN_OR_RETURN(action.port, PortOf(get.port(), container));
  action.path = absl::StartsWith(get.path(), "/") ? get.path() : absl::StrCat("/", get.path());
  for (const v1::HttpHeader& header : get.http_headers()) {
    action.headers.emplace_back(header.name(), header.value());
  }
  return action;
}

absl::StatusOr<Action> TcpOf(const v1::TcpSocketAction& socket, const v1::Container& container,
                             const std::string& pod_ip) {
  TcpAction action;
  action.host = socket.host().empty() ? pod_ip : socket.host();
  ASSIGN_OR_RETURN(action.port, PortOf(socket.port(), container));
  return action;
}

Action ExecOf(const v1::ExecAction& exec) {
  return ExecAction{{exec.command().begin(), exec.command().end()}};
}

absl::Duration SecondsOr(int32_t seconds, int32_t otherwise) {
  return absl::Seconds(seconds > 0 ? seconds : otherwise);
}

absl::StatusOr<ProbeSpec> SpecOf(ProbeKind kind, const v1::Probe& probe,
                                 const v1::Container& container, const std::string& pod_ip) {
  ProbeSpec spec;
  spec.kind = kind;
  ASSIGN_OR_RETURN(spec.action, ActionOf(probe, container, pod_ip));
  spec.initial_delay = absl::Seconds(probe.initial_delay_seconds());
  spec.timeout = SecondsOr(probe.timeout_seconds(), 1);
  spec.period = SecondsOr(probe.period_seconds(), 10);
  if (probe.success_threshold() > 0) spec.success_threshold = probe.success_threshold();
  if (probe.failure_threshold() > 0) spec.failure_threshold = probe.failure_threshold();
  return spec;
}

}  // namespace

absl::StatusOr<Action> ActionOf(const v1::Probe& probe, const v1::Container& container,
                                const std::string& pod_ip) {
  if (probe.has_exec()) return ExecOf(probe.exec());
  if (probe.has_http_get()) return HttpOf(probe.http_get(), container, pod_ip);
  if (probe.has_tcp_socket()) return TcpOf(probe.tcp_socket(), container, pod_ip);
  if (probe.has_grpc()) {
    return GrpcAction{pod_ip, static_cast<uint16_t>(probe.grpc().port()), probe.grpc().service()};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a probe of container ", container.name(), " says nothing to do"));
}

absl::StatusOr<Action> ActionOf(const v1::LifecycleHandler& handler, const v1::Container& container,
                                const std::string& pod_ip) {
  if (handler.has_exec()) return ExecOf(handler.exec());
  if (handler.has_http_get()) return HttpOf(handler.http_get(), container, pod_ip);
  if (handler.has_sleep()) return SleepAction{absl::Seconds(handler.sleep().seconds())};
  return absl::InvalidArgumentError(
      absl::StrCat("a hook of container ", container.name(), " says nothing to do"));
}

absl::StatusOr<std::vector<ProbeSpec>> ProbesOf(const v1::Container& container,
                                                const std::string& pod_ip) {
  std::vector<ProbeSpec> specs;
  if (container.has_startup_probe()) {
    ASSIGN_OR_RETURN(specs.emplace_back(),
                     SpecOf(ProbeKind::kStartup, container.startup_probe(), container, pod_ip));
  }
  if (container.has_liveness_probe()) {
    ASSIGN_OR_RETURN(specs.emplace_back(),
                     SpecOf(ProbeKind::kLiveness, container.liveness_probe(), container, pod_ip));
  }
  if (container.has_readiness_probe()) {
    ASSIGN_OR_RETURN(specs.emplace_back(),
                     SpecOf(ProbeKind::kReadiness, container.readiness_probe(), container, pod_ip));
  }
  return specs;
}

}  // namespace cluster::node
