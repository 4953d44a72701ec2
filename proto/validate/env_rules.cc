#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/schema/scalars.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/pod_rules.h"

namespace cluster {
namespace {

constexpr std::array<absl::string_view, 6> kFieldPaths = {"metadata.name", "metadata.namespace",
                                                          "metadata.uid",  "spec.nodeName",
                                                          "status.hostIP", "status.podIP"};

// metadata.labels['key'] and metadata.annotations['key'].
bool IsMapEntry(absl::string_view field_path) {
  for (const absl::string_view map : {"metadata.labels['", "metadata.annotations['"}) {
    absl::string_view rest = field_path;
    if (!absl::ConsumePrefix(&rest, map) || !absl::ConsumeSuffix(&rest, "']")) continue;
    return QualifiedNameProblem(rest).empty();
  }
  return false;
}

void CheckFieldRef(const v1::ObjectFieldSelector& field, const Path& path, Findings* findings) {
  if (!field.api_version().empty() && field.api_version() != "v1") {
    findings->Add(path / "apiVersion",
                  absl::StrCat(Quote(field.api_version()), " is not known; only v1 is"));
  }
  const bool known =
      std::find(kFieldPaths.begin(), kFieldPaths.end(), field.field_path()) != kFieldPaths.end();
  if (known || IsMapEntry(field.field_path())) return;
  findings->Add(
      path / "fieldPath",
      absl::StrCat(Quote(field.field_path()),
                   " cannot be a variable; use metadata.name, metadata.namespace, metadata.uid, "
                   "metadata.labels['KEY'], metadata.annotations['KEY'], spec.nodeName, "
                   "status.hostIP or status.podIP"));
}

// What a resource is counted in, by one of the steps of its unit.
bool IsDivisor(absl::string_view resource, const std::string& divisor) {
  const auto canonical = CanonicalQuantity(divisor);
  if (!canonical.ok()) return false;
  if (resource == "cpu") return *canonical == "1" || *canonical == "1m";
  static constexpr std::array<absl::string_view, 13> kUnits = {
      "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"};
  return std::find(kUnits.begin(), kUnits.end(), *canonical) != kUnits.end();
}

bool HasContainer(const v1::PodSpec& pod, const std::string& name) {
  const auto named = [&name](const v1::Container& each) { return each.name() == name; };
  return std::any_of(pod.containers().begin(), pod.containers().end(), named) ||
         std::any_of(pod.init_containers().begin(), pod.init_containers().end(), named);
}

void CheckKeyRef(const v1::KeySelector& reference, const Path& path, Findings* findings) {
  findings->AddProblem(path / "name", reference.name().empty()
                                          ? std::string("a name is missing; say which object")
                                          : DnsSubdomainProblem(reference.name()));
  findings->AddProblem(path / "key", reference.key().empty()
                                         ? std::string("a key is missing; say which one")
                                         : DataKeyProblem(reference.key()));
}

void CheckSource(const v1::EnvVar& variable, const Path& path, Findings* findings) {
  const v1::EnvVarSource& source = variable.value_from();
  const int sources = (source.has_field_ref() ? 1 : 0) + (source.has_config_map_key_ref() ? 1 : 0) +
                      (source.has_secret_key_ref() ? 1 : 0) +
                      (source.has_resource_field_ref() ? 1 : 0);
  if (!variable.value().empty()) {
    findings->Add(path, "value and valueFrom exclude each other; remove one of them");
  }
  if (sources != 1) {
    findings->Add(
        path, absl::StrCat("exactly one source is needed, this has ", sources,
                           "; set fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef"));
    return;
  }
  if (source.has_field_ref()) CheckFieldRef(source.field_ref(), path / "fieldRef", findings);
  if (source.has_resource_field_ref()) {
    CheckResourceRef(source.resource_field_ref(), nullptr, path / "resourceFieldRef", findings);
  }
  if (source.has_config_map_key_ref()) {
    CheckKeyRef(source.config_map_key_ref(), path / "configMapKeyRef", findings);
  }
  if (source.has_secret_key_ref()) {
    CheckKeyRef(source.secret_key_ref(), path / "secretKeyRef", findings);
  }
}

void CheckEnvFrom(const v1::EnvFromSource& source, const Path& path, Findings* findings) {
  if (!source.prefix().empty()) {
    findings->AddProblem(path / "prefix", EnvNameProblem(source.prefix()));
  }
  if (source.has_config_map_ref() == source.has_secret_ref()) {
    findings->Add(path, "exactly one reference is needed; set configMapRef or secretRef");
    return;
  }
  const bool is_secret = source.has_secret_ref();
  const std::string& name = is_secret ? source.secret_ref().name() : source.config_map_ref().name();
  findings->AddProblem(path / (is_secret ? "secretRef" : "configMapRef") / "name",
                       name.empty() ? std::string("a name is missing; say which object")
                                    : DnsSubdomainProblem(name));
}

}  // namespace

void CheckVolumeFieldRef(const v1::ObjectFieldSelector& field, const Path& path,
                         Findings* findings) {
  static constexpr std::array<absl::string_view, 5> kPaths = {"metadata.name", "metadata.namespace",
                                                              "metadata.uid", "metadata.labels",
                                                              "metadata.annotations"};
  if (!field.api_version().empty() && field.api_version() != "v1") {
    findings->Add(path / "apiVersion",
                  absl::StrCat(Quote(field.api_version()), " is not known; only v1 is"));
  }
  const bool known = std::find(kPaths.begin(), kPaths.end(), field.field_path()) != kPaths.end();
  if (known || IsMapEntry(field.field_path())) return;
  findings->Add(path / "fieldPath",
                absl::StrCat(Quote(field.field_path()),
                             " cannot be a file; use metadata.name, metadata.namespace, "
                             "metadata.uid, metadata.labels, metadata.annotations, or one entry of "
                             "these two as metadata.labels['KEY']"));
}

void CheckResourceRef(const v1::ResourceFieldSelector& selector, const v1::PodSpec* pod,
                      const Path& path, Findings* findings) {
  if (pod != nullptr && !HasContainer(*pod, selector.container_name())) {
    findings->Add(path / "containerName",
                  selector.container_name().empty()
                      ? std::string("a container is missing; say whose resources")
                      : absl::StrCat("the pod has no container ", Quote(selector.container_name()),
                                     "; name one of its"));
  }
  absl::string_view resource = selector.resource();
  const bool prefixed =
      absl::ConsumePrefix(&resource, "limits.") || absl::ConsumePrefix(&resource, "requests.");
  const bool known = resource == "cpu" || resource == "memory" || resource == "ephemeral-storage" ||
                     absl::StartsWith(resource, "hugepages-");
  if (!prefixed || !known) {
    findings->Add(path / "resource",
                  absl::StrCat(Quote(selector.resource()),
                               " is no resource; use limits.cpu, limits.memory, "
                               "limits.ephemeral-storage, or the same with requests"));
    return;
  }
  if (selector.divisor().empty() || IsDivisor(resource, selector.divisor())) return;
  findings->Add(path / "divisor",
                absl::StrCat(Quote(selector.divisor()), " is no unit of ", resource,
                             resource == "cpu" ? "; use 1 or 1m" : "; use one as 1, 1k or 1Mi"));
}

void CheckEnv(const v1::Container& container, const Path& path, Findings* findings) {
  for (int i = 0; i < container.env_size(); ++i) {
    const v1::EnvVar& variable = container.env(i);
    const Path at = (path / "env").At(i);
    findings->AddProblem(at / "name", variable.name().empty()
                                          ? std::string("a name is missing; name the variable")
                                          : EnvNameProblem(variable.name()));
    if (absl::StrContains(variable.value(), absl::string_view("\0", 1))) {
      findings->Add(at / "value", "the value holds a NUL character; remove it");
    }
    if (variable.has_value_from()) CheckSource(variable, at / "valueFrom", findings);
  }
  for (int i = 0; i < container.env_from_size(); ++i) {
    CheckEnvFrom(container.env_from(i), (path / "envFrom").At(i), findings);
  }
}

}  // namespace cluster
