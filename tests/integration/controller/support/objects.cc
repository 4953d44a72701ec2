#include "tests/integration/controller/support/objects.h"

#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

v1::Object Named(const std::string& kind, const std::string& name) {
  v1::Object object = NewObject(*FindKind(kind));
  MutableMeta(&object)->set_name(name);
  return object;
}

void AddContainer(const std::string& image, v1::PodSpec* spec) {
  v1::Container* container = spec->add_containers();
  container->set_name("app");
  container->set_image(image);
}

}  // namespace

v1::Object MakePod(const std::string& name, const std::string& image) {
  v1::Object object = Named("Pod", name);
  AddContainer(image, object.mutable_pod()->mutable_spec());
  return object;
}

v1::Object MakeConfigMap(const std::string& name, const std::string& key,
                         const std::string& value) {
  v1::Object object = Named("ConfigMap", name);
  (*object.mutable_config_map()->mutable_data())[key] = value;
  return object;
}

v1::Object MakeNamespace(const std::string& name) { return Named("Namespace", name); }

DeploymentBuilder::DeploymentBuilder(const std::string& name) : object_(Named("Deployment", name)) {
  v1::DeploymentSpec* spec = object_.mutable_deployment()->mutable_spec();
  (*spec->mutable_selector()->mutable_match_labels())["app"] = name;
  (*spec->mutable_template_()->mutable_metadata()->mutable_labels())["app"] = name;
  AddContainer("app:1", spec->mutable_template_()->mutable_spec());
}

DeploymentBuilder& DeploymentBuilder::Replicas(int replicas) {
  object_.mutable_deployment()->mutable_spec()->set_replicas(replicas);
  return *this;
}

DeploymentBuilder& DeploymentBuilder::Image(const std::string& image) {
  object_.mutable_deployment()
      ->mutable_spec()
      ->mutable_template_()
      ->mutable_spec()
      ->mutable_containers(0)
      ->set_image(image);
  return *this;
}

DeploymentBuilder& DeploymentBuilder::Rolling(const std::string& max_surge,
                                              const std::string& max_unavailable) {
  v1::DeploymentStrategy* strategy =
      object_.mutable_deployment()->mutable_spec()->mutable_strategy();
  strategy->set_type(v1::STRATEGY_TYPE_ROLLING_UPDATE);
  strategy->mutable_rolling_update()->set_max_surge(max_surge);
  strategy->mutable_rolling_update()->set_max_unavailable(max_unavailable);
  return *this;
}

DeploymentBuilder& DeploymentBuilder::GraceSeconds(int64_t seconds) {
  object_.mutable_deployment()
      ->mutable_spec()
      ->mutable_template_()
      ->mutable_spec()
      ->set_termination_grace_period_seconds(seconds);
  return *this;
}

}  // namespace cluster::controller
