#include "node/pod/environment.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Words = std::vector<std::string>;

v1::Assignment Web() {
  v1::Assignment assignment;
  v1::ObjectMeta* meta = assignment.mutable_pod()->mutable_metadata();
  meta->set_name("web-1");
  meta->set_namespace_("shop");
  meta->set_uid("5d2c");
  (*meta->mutable_labels())["app"] = "web";
  (*meta->mutable_annotations())["note"] = "hello";
  assignment.mutable_pod()->mutable_spec()->add_containers()->set_name("web");
  return assignment;
}

v1::Container* First(v1::Assignment* assignment) {
  return assignment->mutable_pod()->mutable_spec()->mutable_containers(0);
}

void AddEnv(const std::string& name, const std::string& value, v1::Assignment* assignment) {
  v1::EnvVar* variable = First(assignment)->add_env();
  variable->set_name(name);
  variable->set_value(value);
}

void AddField(const std::string& name, const std::string& path, v1::Assignment* assignment) {
  v1::EnvVar* variable = First(assignment)->add_env();
  variable->set_name(name);
  variable->mutable_value_from()->mutable_field_ref()->set_field_path(path);
}

void AddConfigMap(const std::string& name, const std::map<std::string, std::string>& data,
                  v1::Assignment* assignment) {
  v1::ConfigMap* map = assignment->add_references()->mutable_config_map();
  map->mutable_metadata()->set_name(name);
  for (const auto& [key, value] : data) (*map->mutable_data())[key] = value;
}

void AddSecret(const std::string& name, const std::map<std::string, std::string>& data,
               v1::Assignment* assignment) {
  v1::Secret* secret = assignment->add_references()->mutable_secret();
  secret->mutable_metadata()->set_name(name);
  for (const auto& [key, value] : data) (*secret->mutable_data())[key] = value;
}

NodeContext Context() { return {"node1", "192.0.2.1", "10.64.0.2"}; }

absl::StatusOr<BuiltEnvironment> Build(const v1::Assignment& assignment,
                                       const ImageConfig& image = {},
                                       const NodeContext& context = Context()) {
  return BuildEnvironment(assignment, assignment.pod().spec().containers(0), image, context);
}

std::string Value(const v1::Assignment& assignment, const std::string& name) {
  const auto built = Build(assignment);
  if (!built.ok()) return built.status().ToString();
  for (const auto& [key, value] : built->all) {
    if (key == name) return value;
  }
  return "<unset>";
}

struct CommandCase {
  Words entrypoint, cmd, command, args, want;
};

TEST(CommandLine, Behaviour12_CombinesImageAndManifest) {
  const std::vector<CommandCase> cases = {
      {{"/ep"}, {"a", "b"}, {}, {}, {"/ep", "a", "b"}},
      {{"/ep"}, {"a", "b"}, {}, {"c"}, {"/ep", "c"}},
      {{"/ep"}, {"a", "b"}, {"/cmd"}, {}, {"/cmd"}},
      {{"/ep"}, {"a", "b"}, {"/cmd"}, {"c"}, {"/cmd", "c"}},
      {{}, {"a"}, {}, {}, {"a"}},
      {{}, {}, {}, {"c"}, {"c"}},
  };
  for (const CommandCase& test : cases) {
    v1::Container container;
    for (const std::string& word : test.command) container.add_command(word);
    for (const std::string& word : test.args) container.add_args(word);
    ImageConfig image;
    image.entrypoint = test.entrypoint;
    image.cmd = test.cmd;
    EXPECT_EQ(BuildCommandLine(container, image, {}).value(), test.want);
  }
}

TEST(CommandLine, NothingToRunIsAnError) {
  v1::Container container;
  container.set_image("scratch:1");
  const auto line = BuildCommandLine(container, {}, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(line.status()));
  EXPECT_THAT(line.status().message(), HasSubstr("scratch:1"));
}

TEST(Expand, Behaviour13_FollowsKubernetesRules) {
  const std::map<std::string, std::string> variables = {{"A", "1"}, {"B", "$(A)"}, {"EMPTY", ""}};
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"$(A)", "1"},    {"x$(A)y$(A)", "x1y1"}, {"$$(A)", "$(A)"},
      {"$$$(A)", "$1"}, {"$(NONE)", "$(NONE)"}, {"$(B)", "$(A)"},
      {"$A", "$A"},     {"$(A", "$(A"},         {"$", "$"},
      {"a$$b", "a$b"},  {"[$(EMPTY)]", "[]"},   {"$()", "$()"},
      {"$(A)$", "1$"},  {"$$$$(A)", "$$(A)"},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(Expand(text, variables), want) << text;
}

TEST(Environment, Behaviour13_ExpandsOnlyEarlierVariables) {
  v1::Assignment web = Web();
  AddEnv("A", "1", &web);
  AddEnv("B", "$(A)-$(C)", &web);
  AddEnv("C", "3", &web);
  AddEnv("D", "$(C)", &web);
  EXPECT_EQ(Value(web, "B"), "1-$(C)");
  EXPECT_EQ(Value(web, "D"), "3");
}

TEST(Environment, Behaviour14_CommandAndArgsExpand) {
  v1::Assignment web = Web();
  AddEnv("PORT", "8080", &web);
  v1::Container* container = First(&web);
  container->add_command("/server");
  container->add_args("--port=$(PORT)");
  container->add_args("--literal=$$(PORT)");
  const auto built = Build(web).value();
  EXPECT_THAT(BuildCommandLine(*container, {}, built.of_manifest).value(),
              ElementsAre("/server", "--port=8080", "--literal=$(PORT)"));
}

TEST(Environment, Behaviour15_ConfigMapsGiveKeysAndWholes) {
  v1::Assignment web = Web();
  AddConfigMap("settings", {{"color", "green"}, {"size.px", "3"}, {"1bad", "x"}}, &web);
  v1::EnvFromSource* from = First(&web)->add_env_from();
  from->set_prefix("S_");
  from->mutable_config_map_ref()->set_name("settings");
  v1::EnvVar* one = First(&web)->add_env();
  one->set_name("COLOR");
  one->mutable_value_from()->mutable_config_map_key_ref()->set_name("settings");
  one->mutable_value_from()->mutable_config_map_key_ref()->set_key("color");
  EXPECT_EQ(Value(web, "S_color"), "green");
  EXPECT_EQ(Value(web, "S_size.px"), "3");
  EXPECT_EQ(Value(web, "COLOR"), "green");
  from->clear_prefix();
  EXPECT_EQ(Value(web, "1bad"), "<unset>") << "no name for a variable, left out as in Kubernetes";
}

TEST(Environment, Behaviour16_SecretsGiveKeysAndWholes) {
  v1::Assignment web = Web();
  AddSecret("login", {{"user", "root"}}, &web);
  First(&web)->add_env_from()->mutable_secret_ref()->set_name("login");
  v1::EnvVar* one = First(&web)->add_env();
  one->set_name("USER_NAME");
  one->mutable_value_from()->mutable_secret_key_ref()->set_name("login");
  one->mutable_value_from()->mutable_secret_key_ref()->set_key("user");
  EXPECT_EQ(Value(web, "user"), "root");
  EXPECT_EQ(Value(web, "USER_NAME"), "root");
}

TEST(Environment, Behaviour17_TheDownwardApiTellsOfThePod) {
  v1::Assignment web = Web();
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"metadata.name", "web-1"},      {"metadata.namespace", "shop"},
      {"metadata.uid", "5d2c"},        {"metadata.labels['app']", "web"},
      {"metadata.labels['none']", ""}, {"metadata.annotations['note']", "hello"},
      {"spec.nodeName", "node1"},      {"status.hostIP", "192.0.2.1"},
      {"status.podIP", "10.64.0.2"},
  };
  for (size_t i = 0; i < fields.size(); ++i)
    AddField("F" + std::to_string(i), fields[i].first, &web);
  for (size_t i = 0; i < fields.size(); ++i) {
    EXPECT_EQ(Value(web, "F" + std::to_string(i)), fields[i].second) << fields[i].first;
  }
}

TEST(Environment, AMissingReferenceSaysWhatIsMissing) {
  v1::Assignment web = Web();
  v1::EnvVar* one = First(&web)->add_env();
  one->set_name("COLOR");
  v1::KeySelector* selector = one->mutable_value_from()->mutable_config_map_key_ref();
  selector->set_name("settings");
  selector->set_key("color");
  absl::Status status = Build(web).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(),
              HasSubstr("ConfigMap \"settings\" not found in namespace \"shop\""));
  AddConfigMap("settings", {}, &web);
  EXPECT_THAT(Build(web).status().message(), HasSubstr("has no key \"color\""));
  selector->set_optional(true);
  EXPECT_EQ(Value(web, "COLOR"), "<unset>");
}

TEST(Environment, AMissingWholeIsAnErrorUnlessOptional) {
  v1::Assignment web = Web();
  v1::EnvFromSource* from = First(&web)->add_env_from();
  from->mutable_secret_ref()->set_name("login");
  EXPECT_TRUE(absl::IsFailedPrecondition(Build(web).status()));
  from->mutable_secret_ref()->set_optional(true);
  EXPECT_TRUE(Build(web).ok());
}

TEST(Environment, TheManifestWinsOverEnvFromOverTheImage) {
  v1::Assignment web = Web();
  AddConfigMap("settings", {{"A", "map"}, {"B", "map"}}, &web);
  First(&web)->add_env_from()->mutable_config_map_ref()->set_name("settings");
  AddEnv("A", "manifest", &web);
  ImageConfig image;
  image.env = {"A=image", "B=image", "C=image", "PATH=/only"};
  const auto built = Build(web, image).value();
  const std::map<std::string, std::string> all(built.all.begin(), built.all.end());
  EXPECT_EQ(all.at("A"), "manifest");
  EXPECT_EQ(all.at("B"), "map");
  EXPECT_EQ(all.at("C"), "image");
  EXPECT_EQ(all.at("PATH"), "/only");
  EXPECT_EQ(all.at("HOSTNAME"), "web-1");
}

TEST(Environment, ASecretWithANulByteCannotBeAVariable) {
  v1::Assignment web = Web();
  AddSecret("raw", {{"key", std::string("a\0b", 3)}}, &web);
  First(&web)->add_env_from()->mutable_secret_ref()->set_name("raw");
  EXPECT_THAT(Build(web).status().message(), HasSubstr("NUL"));
}

TEST(Environment, Behaviour19_ServicesOfTheNamespaceAreThereUnlessTheManifestSaysOtherwise) {
  NodeContext context = Context();
  v1::ServiceRoute redis;
  redis.set_name("redis");
  redis.set_cluster_ip("10.60.0.11");
  redis.add_ports()->set_port(6379);
  context.services.push_back(redis);
  ImageConfig image;
  image.env = {"REDIS_SERVICE_HOST=of-the-image"};
  v1::Assignment assignment = Web();
  AddEnv("URL", "redis://$(REDIS_SERVICE_HOST):$(REDIS_SERVICE_PORT)", &assignment);
  AddEnv("REDIS_PORT", "mine", &assignment);
  absl::StatusOr<BuiltEnvironment> built = Build(assignment, image, context);
  ASSERT_TRUE(built.ok()) << built.status();
  std::map<std::string, std::string> all(built->all.begin(), built->all.end());
  EXPECT_EQ(all["REDIS_SERVICE_HOST"], "10.60.0.11");
  EXPECT_EQ(all["URL"], "redis://10.60.0.11:6379");
  EXPECT_EQ(all["REDIS_PORT"], "mine");
  assignment.mutable_pod()->mutable_spec()->set_enable_service_links(false);
  built = Build(assignment, image, context);
  ASSERT_TRUE(built.ok()) << built.status();
  all = {built->all.begin(), built->all.end()};
  EXPECT_EQ(all["REDIS_SERVICE_HOST"], "of-the-image");
  EXPECT_EQ(all.count("REDIS_SERVICE_PORT"), 0u);
}

}  // namespace
}  // namespace cluster::node
