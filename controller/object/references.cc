#include "controller/object/references.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::controller {
namespace {

class Collector {
 public:
  explicit Collector(absl::string_view name_space) : space_(name_space) {}

  template <typename Container>
  void AddContainer(const Container& container) {
    for (const v1::EnvVar& variable : container.env()) {
      const v1::EnvVarSource& source = variable.value_from();
      if (source.has_config_map_key_ref()) AddConfigMap(source.config_map_key_ref());
      if (source.has_secret_key_ref()) AddSecret(source.secret_key_ref());
    }
    for (const v1::EnvFromSource& source : container.env_from()) {
      if (source.has_config_map_ref()) AddConfigMap(source.config_map_ref());
      if (source.has_secret_ref()) AddSecret(source.secret_ref());
    }
  }

  void AddVolume(const v1::Volume& volume) {
    if (volume.has_config_map()) AddConfigMap(volume.config_map());
    if (volume.has_secret()) {
      Add(SecretKey(space_, volume.secret().secret_name()), volume.secret().optional());
    }
    for (const v1::VolumeProjection& source : volume.projected().sources()) {
      if (source.has_config_map()) AddConfigMap(source.config_map());
      if (source.has_secret()) AddSecret(source.secret());
    }
  }

  std::map<std::string, bool> Take() { return std::move(found_); }

 private:
  template <typename Reference>
  void AddConfigMap(const Reference& reference) {
    Add(ConfigMapKey(space_, reference.name()), reference.optional());
  }
  template <typename Reference>
  void AddSecret(const Reference& reference) {
    Add(SecretKey(space_, reference.name()), reference.optional());
  }
  void Add(std::string key, bool optional) {
    const auto [found, fresh] = found_.emplace(std::move(key), optional);
    if (!fresh && !optional) found->second = false;
  }

  const absl::string_view space_;
  std::map<std::string, bool> found_;
};

class Renamer {
 public:
  Renamer(absl::string_view name_space,
          const std::function<std::string(const std::string& key)>& other)
      : space_(name_space), other_(other) {}

  template <typename Container>
  void InContainer(Container* container) const {
    for (v1::EnvVar& variable : *container->mutable_env()) {
      if (!variable.has_value_from()) continue;
      v1::EnvVarSource* source = variable.mutable_value_from();
      if (source->has_config_map_key_ref()) InConfigMap(source->mutable_config_map_key_ref());
      if (source->has_secret_key_ref()) InSecret(source->mutable_secret_key_ref());
    }
    for (v1::EnvFromSource& source : *container->mutable_env_from()) {
      if (source.has_config_map_ref()) InConfigMap(source.mutable_config_map_ref());
      if (source.has_secret_ref()) InSecret(source.mutable_secret_ref());
    }
  }

  void InVolume(v1::Volume* volume) const {
    if (volume->has_config_map()) InConfigMap(volume->mutable_config_map());
    if (volume->has_secret()) {
      v1::SecretVolumeSource* secret = volume->mutable_secret();
      Rename(SecretKey(space_, secret->secret_name()), secret->mutable_secret_name());
    }
    if (!volume->has_projected()) return;
    for (v1::VolumeProjection& source : *volume->mutable_projected()->mutable_sources()) {
      if (source.has_config_map()) InConfigMap(source.mutable_config_map());
      if (source.has_secret()) InSecret(source.mutable_secret());
    }
  }

 private:
  template <typename Reference>
  void InConfigMap(Reference* reference) const {
    Rename(ConfigMapKey(space_, reference->name()), reference->mutable_name());
  }
  template <typename Reference>
  void InSecret(Reference* reference) const {
    Rename(SecretKey(space_, reference->name()), reference->mutable_name());
  }
  void Rename(const std::string& key, std::string* name) const {
    std::string other = other_(key);
    if (!other.empty()) *name = std::move(other);
  }

  const absl::string_view space_;
  const std::function<std::string(const std::string& key)>& other_;
};

}  // namespace

std::string ConfigMapKey(absl::string_view name_space, absl::string_view name) {
  return absl::StrCat("configmaps/", name_space, "/", name);
}

std::string SecretKey(absl::string_view name_space, absl::string_view name) {
  return absl::StrCat("secrets/", name_space, "/", name);
}

std::map<std::string, bool> DataReferences(const v1::PodSpec& spec, absl::string_view name_space) {
  Collector collector(name_space);
  for (const v1::Container& container : spec.containers()) collector.AddContainer(container);
  for (const v1::Container& container : spec.init_containers()) collector.AddContainer(container);
  for (const v1::EphemeralContainer& container : spec.ephemeral_containers()) {
    collector.AddContainer(container);
  }
  for (const v1::Volume& volume : spec.volumes()) collector.AddVolume(volume);
  return collector.Take();
}

void RenameDataReferences(absl::string_view name_space,
                          const std::function<std::string(const std::string& key)>& other,
                          v1::PodSpec* spec) {
  const Renamer renamer(name_space, other);
  for (v1::Container& container : *spec->mutable_containers()) renamer.InContainer(&container);
  for (v1::Container& container : *spec->mutable_init_containers()) {
    renamer.InContainer(&container);
  }
  for (v1::Volume& volume : *spec->mutable_volumes()) renamer.InVolume(&volume);
}

}  // namespace cluster::controller
