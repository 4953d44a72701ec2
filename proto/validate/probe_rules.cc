#include "proto/validate/probe_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "proto/schema/signal_names.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/pod_rules.h"

namespace cluster {
namespace {

constexpr size_t kMostPathBytes = 4096;

void CheckNotNegative(int64_t value, const char* field, const Path& path, Findings* findings) {
  if (value < 0) findings->Add(path / field, absl::StrCat(value, " is negative; use 0 or more"));
}

// A number, or the name of a port of the container.
void CheckPort(const std::string& text, const v1::Container& container, const Path& path,
               Findings* findings) {
  int64_t number = 0;
  if (text.empty()) {
    findings->Add(path, "a port is missing; set it to 1 to 65535 or to the name of a port");
  } else if (absl::SimpleAtoi(text, &number)) {
    if (number < 1 || number > kLastPort) {
      findings->Add(path, absl::StrCat(number, " is not a port; use 1 to 65535"));
    }
  } else {
    const auto& ports = container.ports();
    const bool known = std::any_of(ports.begin(), ports.end(),
                                   [&text](const auto& port) { return port.name() == text; });
    if (!known) {
      findings->Add(path, absl::StrCat("the container has no port named ", Quote(text),
                                       "; name one of its ports, or give a number"));
    }
  }
}

void CheckExec(const v1::ExecAction& exec, const Path& path, Findings* findings) {
  if (exec.command().empty() || exec.command(0).empty()) {
    findings->Add(path / "command", "a command is missing; list the program and its arguments");
  }
}

// A token of RFC 9110.
bool IsHeaderName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           absl::StrContains("!#$%&'*+-.^_`|~",
                             absl::string_view(reinterpret_cast<const char*>(&c), 1));
  });
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_iscntrl(c) && c != '\t'; });
}

void CheckHttp(const v1::HttpGetAction& get, const v1::Container& container, const Path& path,
               Findings* findings) {
  CheckPort(get.port(), container, path / "port", findings);
  if (HasControl(get.path())) {
    findings->Add(path / "path", "the path holds a control character; remove it");
  }
  for (int i = 0; i < get.http_headers_size(); ++i) {
    const Path at = (path / "httpHeaders").At(i);
    if (!IsHeaderName(get.http_headers(i).name())) {
      findings->Add(at / "name",
                    absl::StrCat(Quote(get.http_headers(i).name()),
                                 " is no name of an HTTP header; use letters, digits and '-'"));
    }
    if (HasControl(get.http_headers(i).value())) {
      findings->Add(at / "value", "the value holds a control character; remove it");
    }
  }
}

void CheckOne(int count, const char* choices, const Path& path, Findings* findings) {
  if (count == 1) return;
  findings->Add(path,
                absl::StrCat("exactly one action is needed, this has ", count, "; set ", choices));
}

void CheckProbeAction(const v1::Probe& probe, const v1::Container& container, const Path& path,
                      Findings* findings) {
  CheckOne((probe.has_exec() ? 1 : 0) + (probe.has_http_get() ? 1 : 0) +
               (probe.has_tcp_socket() ? 1 : 0) + (probe.has_grpc() ? 1 : 0),
           "exec, httpGet, tcpSocket or grpc", path, findings);
  if (probe.has_exec()) CheckExec(probe.exec(), path / "exec", findings);
  if (probe.has_http_get()) CheckHttp(probe.http_get(), container, path / "httpGet", findings);
  if (probe.has_tcp_socket()) {
    CheckPort(probe.tcp_socket().port(), container, path / "tcpSocket" / "port", findings);
  }
  if (probe.has_grpc() && (probe.grpc().port() < 1 || probe.grpc().port() > kLastPort)) {
    findings->Add(path / "grpc" / "port",
                  absl::StrCat(probe.grpc().port(), " is not a port; use 1 to 65535"));
  }
}

void CheckProbe(const v1::Probe& probe, bool readiness, const v1::Container& container,
                const Path& path, Findings* findings) {
  CheckProbeAction(probe, container, path, findings);
  CheckNotNegative(probe.initial_delay_seconds(), "initialDelaySeconds", path, findings);
  CheckNotNegative(probe.timeout_seconds(), "timeoutSeconds", path, findings);
  CheckNotNegative(probe.period_seconds(), "periodSeconds", path, findings);
  CheckNotNegative(probe.success_threshold(), "successThreshold", path, findings);
  CheckNotNegative(probe.failure_threshold(), "failureThreshold", path, findings);
  if (!readiness && probe.success_threshold() > 1) {
    findings->Add(path / "successThreshold",
                  absl::StrCat(probe.success_threshold(),
                               " is not possible here; only a readiness probe can ask for more "
                               "than 1"));
  }
  if (!probe.has_termination_grace_period_seconds()) return;
  const Path grace = path / "terminationGracePeriodSeconds";
  if (readiness) {
    findings->Add(grace, "a readiness probe ends no container; remove the field");
  } else if (probe.termination_grace_period_seconds() < 1) {
    findings->Add(grace, absl::StrCat(probe.termination_grace_period_seconds(),
                                      " is too short; use 1 second or more"));
  }
}

void CheckHook(const v1::LifecycleHandler& handler, const v1::Container& container, int64_t grace,
               const Path& path, Findings* findings) {
  CheckOne((handler.has_exec() ? 1 : 0) + (handler.has_http_get() ? 1 : 0) +
               (handler.has_sleep() ? 1 : 0),
           "exec, httpGet or sleep", path, findings);
  if (handler.has_exec()) CheckExec(handler.exec(), path / "exec", findings);
  if (handler.has_http_get()) CheckHttp(handler.http_get(), container, path / "httpGet", findings);
  const int64_t seconds = handler.sleep().seconds();
  if (handler.has_sleep() && (seconds < 0 || seconds > grace)) {
    findings->Add(path / "sleep" / "seconds",
                  absl::StrCat(seconds, " does not fit; use 0 to the pod's ", grace,
                               " seconds of terminationGracePeriodSeconds"));
  }
}

void CheckLifecycle(const v1::Container& container, int64_t grace, const Path& path,
                    Findings* findings) {
  const v1::Lifecycle& lifecycle = container.lifecycle();
  if (lifecycle.has_post_start()) {
    CheckHook(lifecycle.post_start(), container, grace, path / "postStart", findings);
  }
  if (lifecycle.has_pre_stop()) {
    CheckHook(lifecycle.pre_stop(), container, grace, path / "preStop", findings);
  }
  if (!lifecycle.stop_signal().empty() && !SignalNumber(lifecycle.stop_signal())) {
    findings->Add(path / "stopSignal", absl::StrCat(Quote(lifecycle.stop_signal()),
                                                    " is no signal; write for example SIGTERM"));
  }
}

// They run to their end: nothing asks how they are, and nothing stops them.
void RefuseOnInit(const v1::Container& container, const Path& path, Findings* findings) {
  const std::pair<bool, const char*> fields[] = {
      {container.has_lifecycle(), "lifecycle"},
      {container.has_liveness_probe(), "livenessProbe"},
      {container.has_readiness_probe(), "readinessProbe"},
      {container.has_startup_probe(), "startupProbe"}};
  for (const auto& [is_set, field] : fields) {
    if (!is_set) continue;
    findings->Add(path / field,
                  "an init container that runs to its end cannot have this; remove it, or set the "
                  "container's restartPolicy to Always");
  }
}

}  // namespace

void CheckTerminationPath(const std::string& text, const Path& path, Findings* findings) {
  if (text.empty()) return;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  const bool climbs = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (!absl::StartsWith(text, "/") || absl::EndsWith(text, "/") || climbs ||
      text.size() > kMostPathBytes || HasControl(text)) {
    findings->Add(path, absl::StrCat(Quote(text),
                                     " is no place for a file; use an absolute path "
                                     "without .."));
  } else if (absl::StartsWith(text, "/proc/") || absl::StartsWith(text, "/sys/")) {
    findings->Add(path, absl::StrCat(Quote(text), " is the kernel's; use another directory"));
  }
}

void CheckLife(const v1::Container& container, ContainerRole role, int64_t grace, const Path& path,
               Findings* findings) {
  CheckTerminationPath(container.termination_message_path(), path / "terminationMessagePath",
                       findings);
  if (role == ContainerRole::kApp &&
      container.restart_policy() != v1::CONTAINER_RESTART_POLICY_UNSPECIFIED) {
    findings->Add(
        path / "restartPolicy",
        "only an init container can have one of its own; remove it, or move the container "
        "to initContainers");
  }
  if (role == ContainerRole::kInit) return RefuseOnInit(container, path, findings);
  CheckLifecycle(container, grace, path / "lifecycle", findings);
  const std::pair<const v1::Probe*, const char*> probes[] = {
      {container.has_liveness_probe() ? &container.liveness_probe() : nullptr, "livenessProbe"},
      {container.has_readiness_probe() ? &container.readiness_probe() : nullptr, "readinessProbe"},
      {container.has_startup_probe() ? &container.startup_probe() : nullptr, "startupProbe"}};
  for (const auto& [probe, field] : probes) {
    if (probe == nullptr) continue;
    CheckProbe(*probe, probe == &container.readiness_probe(), container, path / field, findings);
  }
}

}  // namespace cluster
