#include "node/pod/environment.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "node/services/service_links.h"

namespace cluster::node {
namespace {

constexpr absl::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void Set(const std::string& name, const std::string& value, BuiltEnvironment* environment) {
  auto found = std::find_if(environment->all.begin(), environment->all.end(),
                            [&](const auto& variable) { return variable.first == name; });
  if (found == environment->all.end()) {
    environment->all.emplace_back(name, value);
  } else {
    found->second = value;
  }
}

void SetFromManifest(const std::string& name, const std::string& value,
                     BuiltEnvironment* environment) {
  Set(name, value, environment);
  environment->of_manifest[name] = value;
}

// As Kubernetes' IsEnvVarName; keys of other shapes are left out, as there.
bool IsVariableName(absl::string_view name) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

template <typename Data>
absl::StatusOr<std::string> KeyOf(absl::string_view kind, const v1::KeySelector& selector,
                                  const Data& data) {
  const auto found = data.find(selector.key());
  if (found == data.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat(kind, " \"", selector.name(), "\" has no key \"", selector.key(),
                     "\"; add the key, or mark the reference optional"));
  }
  return std::string(found->second);
}

absl::StatusOr<std::string> LookUp(const v1::Assignment& assignment, bool secret,
                                   const v1::KeySelector& selector) {
  if (secret) {
    const v1::Secret* found = FindSecret(assignment, selector.name());
    if (found == nullptr) return MissingReference("Secret", assignment, selector.name());
    return KeyOf("Secret", selector, found->data());
  }
  const v1::ConfigMap* found = FindConfigMap(assignment, selector.name());
  if (found == nullptr) return MissingReference("ConfigMap", assignment, selector.name());
  return KeyOf("ConfigMap", selector, found->data());
}

// Nothing: an optional source that is absent.
absl::StatusOr<std::optional<std::string>> ValueFrom(const v1::Assignment& assignment,
                                                     const v1::EnvVarSource& source,
                                                     const std::string& container,
                                                     const NodeContext& context) {
  if (source.has_field_ref()) {
    ASSIGN_OR_RETURN(std::string value,
                     FieldValue(assignment.pod(), source.field_ref().field_path(), context));
    return std::optional<std::string>(std::move(value));
  }
  if (source.has_resource_field_ref()) {
    ASSIGN_OR_RETURN(
        std::string value,
        ResourceValue(assignment.pod().spec(), source.resource_field_ref(), container, context));
    return std::optional<std::string>(std::move(value));
  }
  const bool secret = source.has_secret_key_ref();
  if (!secret && !source.has_config_map_key_ref()) {
    return absl::FailedPreconditionError("valueFrom names no source");
  }
  const v1::KeySelector& selector = secret ? source.secret_key_ref() : source.config_map_key_ref();
  absl::StatusOr<std::string> value = LookUp(assignment, secret, selector);
  if (value.ok()) return std::optional<std::string>(*std::move(value));
  if (selector.optional()) return std::optional<std::string>();
  return value.status();
}

template <typename Data>
void SetAll(const Data& data, const std::string& prefix, BuiltEnvironment* environment) {
  std::map<std::string, std::string> sorted(data.begin(), data.end());
  for (const auto& [key, value] : sorted) {
    const std::string name = absl::StrCat(prefix, key);
    if (IsVariableName(name)) SetFromManifest(name, value, environment);
  }
}

absl::Status SetFromSource(const v1::Assignment& assignment, const v1::EnvFromSource& source,
                           BuiltEnvironment* environment) {
  if (source.has_config_map_ref()) {
    const v1::ConfigMap* found = FindConfigMap(assignment, source.config_map_ref().name());
    if (found != nullptr) {
      SetAll(found->data(), source.prefix(), environment);
    } else if (!source.config_map_ref().optional()) {
      return MissingReference("ConfigMap", assignment, source.config_map_ref().name());
    }
  }
  if (source.has_secret_ref()) {
    const v1::Secret* found = FindSecret(assignment, source.secret_ref().name());
    if (found != nullptr) {
      SetAll(found->data(), source.prefix(), environment);
    } else if (!source.secret_ref().optional()) {
      return MissingReference("Secret", assignment, source.secret_ref().name());
    }
  }
  return absl::OkStatus();
}

void SetFromImage(const ImageConfig& image, BuiltEnvironment* environment) {
  for (const std::string& variable : image.env) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    Set(variable.substr(0, equals), variable.substr(equals + 1), environment);
  }
}

absl::Status CheckNoNul(const BuiltEnvironment& environment) {
  for (const auto& [name, value] : environment.all) {
    if (absl::StrContains(value, absl::string_view("\0", 1))) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the value of variable \"", name, "\" holds a NUL byte, which no variable can"));
    }
  }
  return absl::OkStatus();
}

std::string ShortHostname(const v1::Pod& pod) {
  // In the node's network it goes by the node's name.
  if (pod.spec().host_network() && pod.spec().hostname().empty() &&
      !pod.spec().node_name().empty()) {
    return pod.spec().node_name().substr(0, std::min<size_t>(63, pod.spec().node_name().find('.')));
  }
  constexpr size_t kLongestLabel = 63;
  std::string name = pod.spec().hostname().empty() ? pod.metadata().name() : pod.spec().hostname();
  if (name.size() > kLongestLabel) name.resize(kLongestLabel);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name;
}

}  // namespace

std::string DomainNameOf(const v1::Pod& pod, absl::string_view cluster_domain) {
  if (pod.spec().subdomain().empty() || pod.spec().host_network()) return "";
  return absl::StrCat(ShortHostname(pod), ".", pod.spec().subdomain(), ".",
                      pod.metadata().namespace_(), ".svc.", cluster_domain);
}

std::string HostnameOf(const v1::Pod& pod, absl::string_view cluster_domain) {
  const std::string whole =
      pod.spec().set_hostname_as_fqdn() ? DomainNameOf(pod, cluster_domain) : "";
  return whole.empty() ? ShortHostname(pod) : whole;
}

std::string Expand(absl::string_view text, const std::map<std::string, std::string>& variables) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    const size_t close = text[i + 1] == '(' ? text.find(')', i + 2) : absl::string_view::npos;
    if (close == absl::string_view::npos) {
      out += '$';
      continue;
    }
    const auto found = variables.find(std::string(text.substr(i + 2, close - i - 2)));
    if (found == variables.end()) {
      out.append(text.substr(i, close - i + 1).data(), close - i + 1);
    } else {
      out += found->second;
    }
    i = close;
  }
  return out;
}

absl::StatusOr<BuiltEnvironment> BuildEnvironment(const v1::Assignment& assignment,
                                                  const v1::Container& container,
                                                  const ImageConfig& image,
                                                  const NodeContext& context) {
  BuiltEnvironment environment;
  Set("PATH", std::string(kDefaultPath), &environment);
  Set("HOSTNAME", HostnameOf(assignment.pod(), context.cluster_domain), &environment);
  SetFromImage(image, &environment);
  const v1::PodSpec& spec = assignment.pod().spec();
  if (!spec.has_enable_service_links() || spec.enable_service_links()) {
    for (const auto& [name, value] : ServiceLinks(context.services)) {
      SetFromManifest(name, value, &environment);
    }
  }
  for (const v1::EnvFromSource& source : container.env_from()) {
    RETURN_IF_ERROR(SetFromSource(assignment, source, &environment));
  }
  for (const v1::EnvVar& variable : container.env()) {
    if (!variable.has_value_from()) {
      SetFromManifest(variable.name(), Expand(variable.value(), environment.of_manifest),
                      &environment);
      continue;
    }
    absl::StatusOr<std::optional<std::string>> value =
        ValueFrom(assignment, variable.value_from(), container.name(), context);
    if (!value.ok()) {
      return Annotate(value.status(), absl::StrCat("variable \"", variable.name(), "\""));
    }
    if (value->has_value()) SetFromManifest(variable.name(), **value, &environment);
  }
  RETURN_IF_ERROR(CheckNoNul(environment));
  return environment;
}

absl::StatusOr<std::vector<std::string>> BuildCommandLine(
    const v1::Container& container, const ImageConfig& image,
    const std::map<std::string, std::string>& variables) {
  std::vector<std::string> line;
  if (container.command().empty()) {
    line = image.entrypoint;
  } else {
    for (const std::string& word : container.command()) line.push_back(Expand(word, variables));
  }
  if (!container.args().empty()) {
    for (const std::string& word : container.args()) line.push_back(Expand(word, variables));
  } else if (container.command().empty()) {
    line.insert(line.end(), image.cmd.begin(), image.cmd.end());
  }
  if (line.empty() || line[0].empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no command specified: image \"", container.image(),
                     "\" has neither Entrypoint nor Cmd; set command in the container's spec"));
  }
  return line;
}

}  // namespace cluster::node
