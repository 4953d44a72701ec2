// A ConfigMap with a color, and pods that have it in their environment.
#pragma once

#include <set>
#include <string>

#include "controller/reconcile/data_versions.h"
#include "tests/domain/world.h"

namespace cluster::controller {

inline void PutColor(const std::string& color, domain::World* world) {
  v1::Object object;
  const EntryPtr before = world->Find("configmaps/default/settings");
  if (before != nullptr) object = before->object;
  v1::ConfigMap* map = object.mutable_config_map();
  map->set_api_version("v1");
  map->set_kind("ConfigMap");
  map->mutable_metadata()->set_name("settings");
  map->mutable_metadata()->set_namespace_("default");
  map->mutable_metadata()->set_uid("uid-of-settings");
  (*map->mutable_data())["color"] = color;
  world->Put(object);
}

inline void UseColor(v1::PodSpec* spec) {
  spec->mutable_containers(0)->add_env_from()->mutable_config_map_ref()->set_name("settings");
}

// Of the pods that are there now, by the ConfigMaps that they use.
inline std::set<std::string> ColorsOfPods(const domain::World& world) {
  std::set<std::string> colors;
  for (const auto& [key, entry] : world.view().All(v1::Object::kPod)) {
    const std::string& name =
        entry->object.pod().spec().containers(0).env_from(0).config_map_ref().name();
    const EntryPtr map = world.Find("configmaps/default/" + name);
    colors.insert(map == nullptr ? "nothing" : map->object.config_map().data().at("color"));
  }
  return colors;
}

inline size_t Copies(const domain::World& world) {
  return world.view().WithLabel(v1::Object::kConfigMap, kCopyLabel, "true").size();
}

}  // namespace cluster::controller
