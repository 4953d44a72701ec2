#include "node/volume/projection.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cluster::node {
namespace {

constexpr int32_t kDefaultMode = 0644;

using Items = google::protobuf::RepeatedPtrField<v1::KeyToPath>;
using DownwardItems = google::protobuf::RepeatedPtrField<v1::DownwardApiVolumeFile>;

// The data of one object: what a key stands for, and how to speak of it.
struct Data {
  std::map<std::string, std::string> keys;
  std::string kind;
  std::string name;
  bool found = false;
  bool optional = false;
};

class Collector {
 public:
  Collector(const v1::Assignment& assignment, const NodeContext& context, int32_t default_mode)
      : assignment_(assignment), context_(context), default_mode_(default_mode) {}

  absl::Status ConfigMap(const std::string& name, bool optional, const Items& items) {
    Data data{{}, "ConfigMap", name, false, optional};
    if (const v1::ConfigMap* found = FindConfigMap(assignment_, name); found != nullptr) {
      data.found = true;
      data.keys.insert(found->data().begin(), found->data().end());
      data.keys.insert(found->binary_data().begin(), found->binary_data().end());
    }
    return AddData(data, items);
  }

  absl::Status Secret(const std::string& name, bool optional, const Items& items) {
    Data data{{}, "Secret", name, false, optional};
    if (const v1::Secret* found = FindSecret(assignment_, name); found != nullptr) {
      data.found = true;
      data.keys.insert(found->data().begin(), found->data().end());
    }
    return AddData(data, items);
  }

  absl::Status Downward(const DownwardItems& items) {
    const v1::Pod& pod = assignment_.pod();
    for (const v1::DownwardApiVolumeFile& item : items) {
      auto value = item.has_resource_field_ref()
                       ? ResourceValue(pod.spec(), item.resource_field_ref(), "", context_)
                       : FieldValue(pod, item.field_ref().field_path(), context_);
      if (!value.ok()) return Annotate(value.status(), absl::StrCat("\"", item.path(), "\""));
      Add(item.path(), *std::move(value), item.has_mode() ? item.mode() : default_mode_);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<VolumeFile>> Take() {
    std::vector<VolumeFile> files;
    for (const auto& [path, file] : files_) {
      for (size_t slash = path.find('/'); slash != std::string::npos;
           slash = path.find('/', slash + 1)) {
        if (!files_.contains(path.substr(0, slash))) continue;
        return absl::FailedPreconditionError(absl::StrCat(
            "\"", path.substr(0, slash), "\" would be a file and the directory of \"", path, "\""));
      }
      files.push_back(file);
    }
    return files;
  }

 private:
  void Add(const std::string& path, std::string content, int32_t mode) {
    files_[path] = {path, std::move(content), static_cast<uint32_t>(mode)};
  }

  absl::Status AddData(const Data& data, const Items& items) {
    if (!data.found && !data.optional) {
      return MissingReference(data.kind, assignment_, data.name);
    }
    if (items.empty()) {
      for (const auto& [key, value] : data.keys) Add(key, value, default_mode_);
      return absl::OkStatus();
    }
    for (const v1::KeyToPath& item : items) {
      const auto value = data.keys.find(item.key());
      if (value == data.keys.end()) {
        if (data.optional) continue;
        return absl::FailedPreconditionError(
            absl::StrCat(data.kind, " \"", data.name, "\" has no key \"", item.key(),
                         "\"; add the key, or mark the reference optional"));
      }
      Add(item.path(), value->second, item.has_mode() ? item.mode() : default_mode_);
    }
    return absl::OkStatus();
  }

  const v1::Assignment& assignment_;
  const NodeContext& context_;
  const int32_t default_mode_;
  std::map<std::string, VolumeFile> files_;
};

template <typename Source>
int32_t ModeOf(const Source& source) {
  return source.has_default_mode() ? source.default_mode() : kDefaultMode;
}

absl::Status Collect(const v1::VolumeProjection& source, Collector* files) {
  if (source.has_config_map()) {
    const v1::ConfigMapProjection& map = source.config_map();
    return files->ConfigMap(map.name(), map.optional(), map.items());
  }
  if (source.has_secret()) {
    const v1::SecretProjection& secret = source.secret();
    return files->Secret(secret.name(), secret.optional(), secret.items());
  }
  return files->Downward(source.downward_api().items());
}

}  // namespace

bool HasFiles(const v1::Volume& volume) {
  return volume.has_config_map() || volume.has_secret() || volume.has_downward_api() ||
         volume.has_projected();
}

absl::StatusOr<std::vector<VolumeFile>> PlanFiles(const v1::Assignment& assignment,
                                                  const NodeContext& context,
                                                  const v1::Volume& volume) {
  if (volume.has_config_map()) {
    const v1::ConfigMapVolumeSource& map = volume.config_map();
    Collector files(assignment, context, ModeOf(map));
    RETURN_IF_ERROR(files.ConfigMap(map.name(), map.optional(), map.items()));
    return files.Take();
  }
  if (volume.has_secret()) {
    const v1::SecretVolumeSource& secret = volume.secret();
    Collector files(assignment, context, ModeOf(secret));
    RETURN_IF_ERROR(files.Secret(secret.secret_name(), secret.optional(), secret.items()));
    return files.Take();
  }
  if (volume.has_downward_api()) {
    Collector files(assignment, context, ModeOf(volume.downward_api()));
    RETURN_IF_ERROR(files.Downward(volume.downward_api().items()));
    return files.Take();
  }
  Collector files(assignment, context, ModeOf(volume.projected()));
  for (const v1::VolumeProjection& source : volume.projected().sources()) {
    RETURN_IF_ERROR(Collect(source, &files));
  }
  return files.Take();
}

// As Kubernetes: other than in commands, an unknown variable is an error, since a container that
// writes into a directory named "$(POD_NAME)" serves nobody.
absl::StatusOr<std::string> ExpandSubPath(const std::string& expression,
                                          const std::map<std::string, std::string>& variables) {
  std::string path;
  for (size_t i = 0; i < expression.size(); ++i) {
    const bool dollar = expression[i] == '$' && i + 1 < expression.size();
    if (dollar && expression[i + 1] == '$') {
      path += '$';
      ++i;
      continue;
    }
    const size_t close =
        dollar && expression[i + 1] == '(' ? expression.find(')', i + 2) : std::string::npos;
    if (close == std::string::npos) {
      path += expression[i];
      continue;
    }
    const std::string name = expression.substr(i + 2, close - i - 2);
    const auto value = variables.find(name);
    if (value == variables.end()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "subPathExpr \"", expression, "\": the container has no variable \"", name, "\""));
    }
    path += value->second;
    i = close;
  }
  bool inside = !absl::StartsWith(path, "/") && !absl::StrContains(path, "`");
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") inside = false;
  }
  if (inside) return path;
  return absl::FailedPreconditionError(
      absl::StrCat("subPathExpr \"", expression, "\" expands to \"", path,
                   "\", which is no path inside of the volume; it must be relative, without '..', "
                   "'.', '`' or an empty part"));
}

}  // namespace cluster::node
