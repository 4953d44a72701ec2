#include "node/volume/references.h"

#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

using StringMap = google::protobuf::Map<std::string, std::string>;

// "metadata.labels['app']" with "metadata.labels" gives "app".
std::optional<std::string> Subscript(absl::string_view path, absl::string_view field) {
  if (!absl::ConsumePrefix(&path, field) || !absl::ConsumePrefix(&path, "['") ||
      !absl::ConsumeSuffix(&path, "']")) {
    return std::nullopt;
  }
  return std::string(path);
}

std::string Entry(const StringMap& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string() : std::string(found->second);
}

// As Go prints with %q: what no line of text may hold is escaped.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(&out, "\\x%02x", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// A whole map as a file: one key="value" per line, sorted.
std::string Lines(const StringMap& map) {
  const std::map<std::string, std::string> sorted(map.begin(), map.end());
  std::string text;
  for (const auto& [key, value] : sorted) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", key, "=", Quoted(value));
  }
  return text;
}

const v1::ResourceRequirements* ResourcesOfContainer(const v1::PodSpec& spec,
                                                     const std::string& name) {
  for (const auto* containers : {&spec.containers(), &spec.init_containers()}) {
    for (const v1::Container& container : *containers) {
      if (container.name() == name) return &container.resources();
    }
  }
  return nullptr;
}

// In thousandths for cpu, whole units else.
absl::StatusOr<int64_t> Amount(absl::string_view resource, absl::string_view text) {
  return resource == "cpu" ? QuantityMilli(text) : QuantityValue(text);
}

// "0" where a request is not made, what the node could give where there is no limit.
std::string QuantityOf(const v1::ResourceRequirements& resources, bool limit,
                       const std::string& resource, const NodeContext& context) {
  const StringMap& amounts = limit ? resources.limits() : resources.requests();
  const auto found = amounts.find(resource);
  if (found != amounts.end()) return found->second;
  const auto node = context.allocatable.find(resource);
  return limit && node != context.allocatable.end() ? node->second : "0";
}

template <typename Message, bool (v1::Object::*kHas)() const,
          const Message& (v1::Object::*kGet)() const>
const Message* Find(const v1::Assignment& assignment, const std::string& name) {
  for (const v1::Object& object : assignment.references()) {
    if ((object.*kHas)() && (object.*kGet)().metadata().name() == name) return &(object.*kGet)();
  }
  return nullptr;
}

}  // namespace

const v1::ConfigMap* FindConfigMap(const v1::Assignment& assignment, const std::string& name) {
  return Find<v1::ConfigMap, &v1::Object::has_config_map, &v1::Object::config_map>(assignment,
                                                                                   name);
}

const v1::Secret* FindSecret(const v1::Assignment& assignment, const std::string& name) {
  return Find<v1::Secret, &v1::Object::has_secret, &v1::Object::secret>(assignment, name);
}

const v1::PersistentVolumeClaim* FindClaim(const v1::Assignment& assignment,
                                           const std::string& name) {
  return Find<v1::PersistentVolumeClaim, &v1::Object::has_persistent_volume_claim,
              &v1::Object::persistent_volume_claim>(assignment, name);
}

absl::Status MissingReference(absl::string_view kind, const v1::Assignment& assignment,
                              absl::string_view name) {
  return absl::FailedPreconditionError(absl::StrCat(
      kind, " \"", name, "\" not found in namespace \"", assignment.pod().metadata().namespace_(),
      "\"; create it, or mark the reference optional"));
}

absl::StatusOr<std::string> FieldValue(const v1::Pod& pod, const std::string& path,
                                       const NodeContext& context) {
  const v1::ObjectMeta& meta = pod.metadata();
  if (path == "metadata.name") return meta.name();
  if (path == "metadata.namespace") return meta.namespace_();
  if (path == "metadata.uid") return meta.uid();
  if (path == "metadata.labels") return Lines(meta.labels());
  if (path == "metadata.annotations") return Lines(meta.annotations());
  if (path == "spec.nodeName") return context.node_name;
  if (path == "status.hostIP") return context.host_ip;
  if (path == "status.podIP") return context.pod_ip;
  if (const auto label = Subscript(path, "metadata.labels")) return Entry(meta.labels(), *label);
  if (const auto annotation = Subscript(path, "metadata.annotations")) {
    return Entry(meta.annotations(), *annotation);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("fieldRef \"", path, "\" is no field that a value can be taken from"));
}

absl::StatusOr<std::string> ResourceValue(const v1::PodSpec& spec,
                                          const v1::ResourceFieldSelector& selector,
                                          const std::string& container,
                                          const NodeContext& context) {
  const std::string& name =
      selector.container_name().empty() ? container : selector.container_name();
  const v1::ResourceRequirements* resources = ResourcesOfContainer(spec, name);
  if (resources == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("resourceFieldRef names container \"", name, "\", which the pod has not"));
  }
  absl::string_view resource = selector.resource();
  const bool limit = absl::ConsumePrefix(&resource, "limits.");
  if (!limit && !absl::ConsumePrefix(&resource, "requests.")) {
    return absl::FailedPreconditionError(
        absl::StrCat("resourceFieldRef \"", selector.resource(), "\" is no resource"));
  }
  ASSIGN_OR_RETURN(const int64_t amount,
                   Amount(resource, QuantityOf(*resources, limit, std::string(resource), context)));
  const std::string divisor_text = selector.divisor().empty() ? "1" : selector.divisor();
  ASSIGN_OR_RETURN(const int64_t divisor, Amount(resource, divisor_text));
  if (divisor <= 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("resourceFieldRef: divisor \"", selector.divisor(), "\" must be above 0"));
  }
  return absl::StrCat(amount / divisor + (amount % divisor > 0 ? 1 : 0));
}

}  // namespace cluster::node
