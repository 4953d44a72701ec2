// Probes and hooks in kubectl's one-line form.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/describe.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

std::string ExecText(const v1::ExecAction& exec) {
  return absl::StrCat("exec [", absl::StrJoin(exec.command(), " "), "]");
}

std::string HttpText(const v1::HttpGetAction& get) {
  const std::string scheme = absl::AsciiStrToLower(EnumText(get.scheme()));
  return absl::StrCat("http-get ", scheme.empty() ? "http" : scheme, "://", get.host(), ":",
                      get.port(), get.path());
}

std::string ActionText(const v1::Probe& probe) {
  if (probe.has_exec()) return ExecText(probe.exec());
  if (probe.has_http_get()) return HttpText(probe.http_get());
  if (probe.has_tcp_socket()) {
    return absl::StrCat("tcp-socket ", probe.tcp_socket().host(), ":", probe.tcp_socket().port());
  }
  return absl::StrCat("grpc <pod>:", probe.grpc().port(), " ", probe.grpc().service());
}

std::string ProbeText(const v1::Probe& probe) {
  return absl::StrCat(ActionText(probe), " delay=", probe.initial_delay_seconds(),
                      "s timeout=", probe.timeout_seconds(), "s period=", probe.period_seconds(),
                      "s #success=", probe.success_threshold(),
                      " #failure=", probe.failure_threshold());
}

std::string HookText(const v1::LifecycleHandler& hook) {
  if (hook.has_exec()) return ExecText(hook.exec());
  if (hook.has_http_get()) return HttpText(hook.http_get());
  return absl::StrCat("sleep ", hook.sleep().seconds(), "s");
}

}  // namespace

void DescribeProbes(int level, const v1::Container& container, Description& text) {
  if (container.has_liveness_probe()) {
    text.Field(level, "Liveness", ProbeText(container.liveness_probe()));
  }
  if (container.has_readiness_probe()) {
    text.Field(level, "Readiness", ProbeText(container.readiness_probe()));
  }
  if (container.has_startup_probe()) {
    text.Field(level, "Startup", ProbeText(container.startup_probe()));
  }
  const v1::Lifecycle& lifecycle = container.lifecycle();
  if (lifecycle.has_post_start()) text.Field(level, "Post Start", HookText(lifecycle.post_start()));
  if (lifecycle.has_pre_stop()) text.Field(level, "Pre Stop", HookText(lifecycle.pre_stop()));
  if (!lifecycle.stop_signal().empty()) {
    text.Field(level, "Stop Signal", lifecycle.stop_signal());
  }
}

}  // namespace cluster::cli
