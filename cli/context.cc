#include "cli/context.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "yaml-cpp/yaml.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

absl::Status NotOfTheForm(const std::string& path, const YAML::Mark& mark, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", mark.line + 1, ":", mark.column + 1,
                                                 ": ", what, "; mend or remove the file"));
}

absl::StatusOr<Contexts> FromYaml(const std::string& path, const YAML::Node& root) {
  Contexts contexts;
  if (root.IsNull()) return contexts;
  if (!root.IsMap()) return NotOfTheForm(path, root.Mark(), "expected a map");
  if (const YAML::Node current = root["current"]; current && !current.IsNull()) {
    if (!current.IsScalar()) return NotOfTheForm(path, current.Mark(), "current must be a name");
    contexts.current = current.Scalar();
  }
  const YAML::Node entries = root["contexts"];
  if (!entries || entries.IsNull()) return contexts;
  if (!entries.IsMap()) return NotOfTheForm(path, entries.Mark(), "contexts must be a map");
  for (const auto& entry : entries) {
    const YAML::Node server = entry.second.IsMap() ? entry.second["server"] : YAML::Node();
    if (!server.IsDefined() || !server.IsScalar()) {
      return NotOfTheForm(path, entry.second.Mark(), "a context needs a server");
    }
    contexts.contexts[entry.first.Scalar()] = Context{server.Scalar()};
  }
  return contexts;
}

// Runs one read-change-replace under the lock of the file.
absl::Status Update(const std::string& path, const std::function<void(Contexts&)>& change) {
  RETURN_IF_ERROR(MakeDirectories(FolderOf(path), 0700));
  ASSIGN_OR_RETURN(const UniqueFd lock, OpenAt(AT_FDCWD, path + ".lock", O_RDWR | O_CREAT, 0600));
  while (flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus("flock", path + ".lock");
  }
  ASSIGN_OR_RETURN(Contexts contexts, LoadContexts(path));
  change(contexts);
  return SaveContexts(path, contexts);
}

}  // namespace

std::string ContextsPath() {
  const char* config = getenv("XDG_CONFIG_HOME");
  if (config != nullptr && config[0] == '/') return absl::StrCat(config, "/cluster/contexts.yaml");
  const char* home = getenv("HOME");
  return absl::StrCat(home != nullptr ? home : "", "/.config/cluster/contexts.yaml");
}

absl::StatusOr<Contexts> LoadContexts(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return Contexts{};
  RETURN_IF_ERROR(text.status());
  try {
    return FromYaml(path, YAML::Load(*text));
  } catch (const YAML::Exception& error) {
    return NotOfTheForm(path, error.mark, error.msg);
  }
}

absl::Status SaveContexts(const std::string& path, const Contexts& contexts) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  if (!contexts.current.empty()) out << YAML::Key << "current" << YAML::Value << contexts.current;
  out << YAML::Key << "contexts" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, context] : contexts.contexts) {
    out << YAML::Key << name << YAML::Value << YAML::BeginMap << YAML::Key << "server"
        << YAML::Value << context.server << YAML::EndMap;
  }
  out << YAML::EndMap << YAML::EndMap << YAML::Newline;
  RETURN_IF_ERROR(MakeDirectories(FolderOf(path), 0700));
  return WriteFileDurably(path, out.c_str(), 0600);
}

absl::Status SetCurrentContext(const std::string& path, const std::string& name,
                               const Context& context) {
  return Update(path, [&](Contexts& contexts) {
    contexts.contexts[name] = context;
    contexts.current = name;
  });
}

absl::Status RemoveContext(const std::string& path, const std::string& name) {
  return Update(path, [&](Contexts& contexts) {
    contexts.contexts.erase(name);
    if (contexts.current == name) contexts.current.clear();
  });
}

}  // namespace cluster::cli
