#include "node/oci/config.h"

#include <sys/mount.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/oci/config_parts.h"

namespace cluster::oci {
namespace {

void ReadVersion(const Field& field, std::string* out) {
  field.Require();
  if (!field.Get(out)) return;
  const std::vector<std::string> parts =
      absl::StrSplit(out->substr(0, out->find_first_of("-+")), '.');
  int number = 0;
  for (const std::string& part : parts) {
    if (parts.size() == 3 && absl::SimpleAtoi(part, &number) && number >= 0) continue;
    return field.Fail("must be a version like 1.2.0");
  }
  if (parts[0] != "1") {
    field.Fail(absl::StrCat("'", *out, "' is not supported: this runtime speaks version 1"));
  }
}

void ReadMount(const Field& field, Mount* out) {
  field["destination"].Require();
  if (field["destination"].Get(&out->destination) && !absl::StartsWith(out->destination, "/")) {
    if (out->destination.empty()) field["destination"].Fail("must not be empty");
    field["destination"].Warn("a relative destination is taken from the root");
    out->destination.insert(0, "/");
  }
  field["type"].Get(&out->type);
  field["source"].Get(&out->source);
  field["options"].Get(&out->options);
  ReadIdMappings(field["uidMappings"], &out->uid_mappings);
  ReadIdMappings(field["gidMappings"], &out->gid_mappings);
  if (out->uid_mappings.empty() != out->gid_mappings.empty()) {
    field.Fail("uidMappings and gidMappings go together");
  }
}

void ReadHook(const Field& field, Hook* out) {
  field["path"].Require();
  if (field["path"].Get(&out->path) && !absl::StartsWith(out->path, "/")) {
    field["path"].Fail("must be absolute");
  }
  field["args"].Get(&out->args);
  std::vector<std::string> env;
  if (field["env"].Get(&env)) out->env = std::move(env);
  if (field["timeout"].Get(&out->timeout_seconds) && out->timeout_seconds <= 0) {
    field["timeout"].Fail("must be greater than 0");
  }
}

void ReadHooks(const Field& field, Hooks* out) {
  const auto list = [&field](const char* name, std::vector<Hook>* hooks) {
    field[name].Items([hooks](const Field& item) { ReadHook(item, &hooks->emplace_back()); });
  };
  list("prestart", &out->prestart);
  list("createRuntime", &out->create_runtime);
  list("createContainer", &out->create_container);
  list("startContainer", &out->start_container);
  list("poststart", &out->poststart);
  list("poststop", &out->poststop);
}

void ReadAll(const Field& root, Config* out) {
  ReadVersion(root["ociVersion"], &out->version);
  if (root["process"].present()) ReadProcessField(root["process"], &out->process.emplace());
  root["root"].Require();
  root["root"]["path"].Require();
  if (root["root"]["path"].Get(&out->root_path) && out->root_path.empty()) {
    root["root"]["path"].Fail("must not be empty");
  }
  root["root"]["readonly"].Get(&out->root_readonly);
  root["mounts"].Items([out](const Field& item) { ReadMount(item, &out->mounts.emplace_back()); });
  root["hostname"].Get(&out->hostname);
  root["domainname"].Get(&out->domainname);
  ReadHooks(root["hooks"], &out->hooks);
  root["annotations"].Members([out](const std::string& name, const Field& value) {
    if (name.empty()) value.Fail("an annotation needs a name");
    value.Get(&out->annotations[name]);
  });
  const auto keeps = out->annotations.find("run.oci.keep_original_groups");
  if (out->process && keeps != out->annotations.end() && keeps->second == "1") {
    out->process->user.keeps_groups = true;
  }
  ReadLinuxField(root["linux"], &out->linux_);
}

}  // namespace

const Namespace* Linux::Find(int flag) const {
  for (const Namespace& name_space : namespaces) {
    if (name_space.flag == flag) return &name_space;
  }
  return nullptr;
}

absl::StatusOr<Config> ReadConfig(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text));
  Reading reading;
  Config config;
  ReadAll(Field(&json, "", &reading), &config);
  if (reading.error.ok()) CheckConfig(config, &reading);
  RETURN_IF_ERROR(reading.error);
  config.warnings = std::move(reading.warnings);
  return config;
}

absl::StatusOr<Process> ReadProcess(absl::string_view text, std::vector<std::string>* warnings) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text));
  Reading reading;
  Process process;
  ReadProcessField(Field(&json, "", &reading), &process);
  RETURN_IF_ERROR(reading.error);
  *warnings = std::move(reading.warnings);
  return process;
}

absl::StatusOr<Resources> ReadResources(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text));
  Reading reading;
  Resources resources;
  ReadResourcesField(Field(&json, "", &reading), &resources);
  RETURN_IF_ERROR(reading.error);
  return resources;
}

}  // namespace cluster::oci
