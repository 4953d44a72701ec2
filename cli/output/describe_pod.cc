// The parts of `describe` that are about pods and their containers.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/describe.h"
#include "cli/output/duration.h"
#include "cli/output/pod_status.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/ephemeral.h"

namespace cluster::cli {
namespace {

std::string SourceText(const v1::EnvVarSource& source) {
  if (source.has_field_ref()) return absl::StrCat("(", source.field_ref().field_path(), ")");
  if (source.has_resource_field_ref()) {
    return absl::StrCat("(", source.resource_field_ref().resource(), ")");
  }
  const bool secret = source.has_secret_key_ref();
  const v1::KeySelector& key = secret ? source.secret_key_ref() : source.config_map_key_ref();
  return absl::StrCat("<set to the key '", key.key(), "' of ", secret ? "secret" : "config map",
                      " '", key.name(), "'>");
}

std::vector<std::string> EnvLines(const v1::Container& container) {
  std::vector<std::string> lines;
  for (const v1::EnvVar& variable : container.env()) {
    lines.push_back(absl::StrCat(
        variable.name(), ": ",
        variable.has_value_from() ? SourceText(variable.value_from()) : variable.value()));
  }
  return lines;
}

std::vector<std::string> EnvFromLines(const v1::Container& container) {
  std::vector<std::string> lines;
  for (const v1::EnvFromSource& source : container.env_from()) {
    const bool secret = source.has_secret_ref();
    const auto& reference = secret ? source.secret_ref() : source.config_map_ref();
    lines.push_back(absl::StrCat(reference.name(), " (", secret ? "Secret" : "ConfigMap", ")",
                                 source.prefix().empty() ? "" : " with prefix ", source.prefix()));
  }
  return lines;
}

std::string PortsText(const v1::Container& container, bool host) {
  std::vector<std::string> ports;
  for (const v1::ContainerPort& port : container.ports()) {
    const int number = host ? port.host_port() : port.container_port();
    if (number == 0) continue;
    const absl::string_view protocol = EnumText(port.protocol());
    ports.push_back(absl::StrCat(number, "/", protocol.empty() ? "TCP" : protocol));
  }
  return OrNone(absl::StrJoin(ports, ", "));
}

void DescribeEnd(int level, const v1::ContainerStateTerminated& end, Description& text) {
  if (!end.message().empty()) text.Field(level, "Message", end.message());
  text.Field(level, "Exit Code", absl::StrCat(end.exit_code()));
  if (end.signal() != 0) text.Field(level, "Signal", absl::StrCat(end.signal()));
  text.Field(level, "Started", TimeText(end.started_at()));
  text.Field(level, "Finished", TimeText(end.finished_at()));
}

void DescribeState(int level, const std::string& key, const v1::ContainerState& state,
                   Description& text) {
  text.Field(level, key, StateText(state));
  if (state.has_running()) {
    text.Field(level + 1, "Started", TimeText(state.running().started_at()));
    if (state.running().pid() != 0) {
      text.Field(level + 1, "PID", absl::StrCat(state.running().pid()));
    }
  } else if (state.has_terminated()) {
    DescribeEnd(level + 1, state.terminated(), text);
  } else if (!state.waiting().message().empty()) {
    text.Field(level + 1, "Message", state.waiting().message());
  }
}

// What the manifest says about one container; shared by pods and templates.
void DescribeContainerSpec(int level, const v1::Container& container, Description& text) {
  text.Field(level, "Image", container.image());
  text.Field(level, "Ports", PortsText(container, false));
  text.Field(level, "Host Ports", PortsText(container, true));
  if (!container.command().empty()) {
    text.Field(level, "Command", absl::StrJoin(container.command(), " "));
  }
  if (!container.args().empty()) text.Field(level, "Args", absl::StrJoin(container.args(), " "));
  if (!container.resources().limits().empty()) {
    text.List(level, "Limits", KeyValueLines(container.resources().limits(), ": "));
  }
  if (!container.resources().requests().empty()) {
    text.List(level, "Requests", KeyValueLines(container.resources().requests(), ": "));
  }
  DescribeProbes(level, container, text);
  if (!container.env_from().empty()) {
    text.List(level, "Environment Variables from", EnvFromLines(container));
  }
  text.List(level, "Environment", EnvLines(container));
  if (!container.volume_mounts().empty()) {
    text.List(level, "Mounts", MountLines(container.volume_mounts()));
  }
}

using Statuses = google::protobuf::RepeatedPtrField<v1::ContainerStatus>;

const v1::ContainerStatus* StatusOf(const Statuses& statuses, const std::string& container) {
  for (const v1::ContainerStatus& status : statuses) {
    if (status.name() == container) return &status;
  }
  return nullptr;
}

void DescribeContainer(const Statuses& statuses, const v1::Container& container,
                       Description& text) {
  text.Section(1, container.name());
  const v1::ContainerStatus* status = StatusOf(statuses, container.name());
  if (status != nullptr) {
    if (!status->container_id().empty()) text.Field(2, "Container ID", status->container_id());
    if (!status->image_id().empty()) text.Field(2, "Image ID", status->image_id());
    DescribeState(2, "State", status->state(), text);
    if (status->last_state().has_terminated()) {
      DescribeState(2, "Last State", status->last_state(), text);
    }
    text.Field(2, "Ready", status->ready() ? "True" : "False");
    text.Field(2, "Restart Count", absl::StrCat(status->restart_count()));
  }
  DescribeContainerSpec(2, container, text);
}

// A pod without a node says what each node lacks.
void DescribePending(const v1::Pod& pod, absl::Time now, Description& text) {
  const v1::Condition* scheduled = FindCondition(pod.status().conditions(), "PodScheduled");
  if (!pod.spec().node_name().empty() || scheduled == nullptr) return;
  if (scheduled->status() == v1::CONDITION_STATUS_TRUE || scheduled->message().empty()) return;
  text.Field(0, "Pending Since", absl::StrCat(Age(scheduled->last_transition_time(), now), " ago"));
  text.Field(0, "Pending Because", scheduled->message());
}

std::vector<std::string> TolerationLines(const v1::PodSpec& spec) {
  std::vector<std::string> lines;
  for (const v1::Toleration& toleration : spec.tolerations()) {
    std::string line = toleration.key();
    if (!toleration.value().empty()) absl::StrAppend(&line, "=", toleration.value());
    const absl::string_view effect = EnumText(toleration.effect());
    if (!effect.empty()) absl::StrAppend(&line, ":", effect);
    if (toleration.operator_() == v1::TOLERATION_OPERATOR_EXISTS) {
      absl::StrAppend(&line, " op=Exists");
    }
    if (toleration.has_toleration_seconds()) {
      absl::StrAppend(&line, " for ", toleration.toleration_seconds(), "s");
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

void DescribePod(const v1::Pod& pod, absl::Time now, Description& text) {
  const PodSummary summary = Summarize(pod);
  text.Field(0, "Node",
             pod.spec().node_name().empty()
                 ? "<none>"
                 : absl::StrCat(pod.spec().node_name(), "/", pod.status().host_ip()));
  if (pod.status().has_start_time()) {
    text.Field(0, "Start Time", TimeText(pod.status().start_time()));
  }
  text.Field(0, "Status", summary.status);
  if (!pod.status().reason().empty()) text.Field(0, "Reason", pod.status().reason());
  if (!pod.status().message().empty()) text.Field(0, "Message", pod.status().message());
  DescribePending(pod, now, text);
  text.Field(0, "IP", OrNone(pod.status().pod_ip()));
  if (!pod.spec().init_containers().empty()) text.Section(0, "Init Containers");
  for (const v1::Container& container : pod.spec().init_containers()) {
    DescribeContainer(pod.status().init_container_statuses(), container, text);
  }
  text.Section(0, "Containers");
  for (const v1::Container& container : pod.spec().containers()) {
    DescribeContainer(pod.status().container_statuses(), container, text);
  }
  if (!pod.spec().ephemeral_containers().empty()) text.Section(0, "Ephemeral Containers");
  for (const v1::EphemeralContainer& container : pod.spec().ephemeral_containers()) {
    DescribeContainer(pod.status().ephemeral_container_statuses(), AsContainer(container), text);
  }
  DescribeConditions(pod.status().conditions(), now, text);
  DescribeVolumes(pod.spec(), 0, text);
  const absl::string_view qos = EnumText(pod.status().qos_class());
  if (!qos.empty()) text.Field(0, "QoS Class", qos);
  text.Field(0, "Restart Policy", OrNone(EnumText(pod.spec().restart_policy())));
  if (pod.spec().has_active_deadline_seconds()) {
    text.Field(0, "Active Deadline Seconds", absl::StrCat(pod.spec().active_deadline_seconds()));
  }
  text.List(0, "Node-Selectors", KeyValueLines(pod.spec().node_selector(), "="));
  text.List(0, "Tolerations", TolerationLines(pod.spec()));
}

void DescribePodTemplate(const v1::PodTemplateSpec& pod, int level, Description& text) {
  text.Section(level, "Pod Template");
  text.List(level + 1, "Labels", KeyValueLines(pod.metadata().labels(), "="));
  if (!pod.metadata().annotations().empty()) {
    text.List(level + 1, "Annotations", KeyValueLines(pod.metadata().annotations(), ": "));
  }
  if (!pod.spec().init_containers().empty()) text.Section(level + 1, "Init Containers");
  for (const v1::Container& container : pod.spec().init_containers()) {
    text.Section(level + 2, container.name());
    DescribeContainerSpec(level + 3, container, text);
  }
  text.Section(level + 1, "Containers");
  for (const v1::Container& container : pod.spec().containers()) {
    text.Section(level + 2, container.name());
    DescribeContainerSpec(level + 3, container, text);
  }
  DescribeVolumes(pod.spec(), level + 1, text);
  text.List(level + 1, "Node-Selectors", KeyValueLines(pod.spec().node_selector(), "="));
}

}  // namespace cluster::cli
