#include "cli/local/layout.h"

#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {

absl::Status CheckClusterName(absl::string_view name) {
  bool good = !name.empty() && name.size() <= 20 && name.front() != '-' && name.back() != '-';
  for (const char c : name)
    good = good && (absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-');
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", name, "\" is no cluster name: use 1 to 20 lower-case letters, digits and '-'"));
}

const LocalNode* Definition::Find(absl::string_view node) const {
  for (const LocalNode& candidate : nodes) {
    if (candidate.name == node) return &candidate;
  }
  return nullptr;
}

Definition MakeDefinition(const std::string& name, int nodes) {
  Definition definition;
  definition.name = name;
  definition.controller_address = "10.63.0.1";
  for (int i = 1; i <= nodes; ++i) {
    const int host = i + 1;
    definition.nodes.push_back(
        {absl::StrCat("node", i), absl::StrCat("10.63.", host / 256, ".", host % 256)});
  }
  return definition;
}

absl::Status SaveDefinition(const Layout& layout, const Definition& definition) {
  nlohmann::json json = {{"name", definition.name},
                         {"controllerAddress", definition.controller_address},
                         {"controllerPort", definition.controller_port},
                         {"nodes", nlohmann::json::array()}};
  for (const LocalNode& node : definition.nodes) {
    json["nodes"].push_back({{"name", node.name}, {"address", node.address}});
  }
  return WriteFileDurably(layout.DefinitionFile(), json.dump(2) + "\n", 0644);
}

absl::StatusOr<Definition> LoadDefinition(const Layout& layout) {
  const absl::StatusOr<std::string> text = ReadFile(layout.DefinitionFile());
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("there is no local cluster \"", layout.name,
                                            "\": see 'clusterctl local list', or make it with "
                                            "'clusterctl local up --name ",
                                            layout.name, "'"));
  }
  RETURN_IF_ERROR(text.status());
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const absl::Status broken =
      absl::DataLossError(absl::StrCat(layout.DefinitionFile(),
                                       " is broken: remove the cluster with 'clusterctl local "
                                       "down --name ",
                                       layout.name, "'"));
  if (!json.is_object() || !json.contains("nodes")) return broken;
  Definition definition;
  definition.name = layout.name;
  definition.controller_address = json.value("controllerAddress", "");
  definition.controller_port = json.value("controllerPort", 0);
  for (const auto& node : json["nodes"]) {
    if (!node.is_object()) return broken;
    definition.nodes.push_back({node.value("name", ""), node.value("address", "")});
  }
  return definition;
}

std::vector<std::string> ListLocalClusters() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kLocalStateRoot, error)) {
    if (std::filesystem::exists(entry.path() / "cluster.json", error)) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cluster::cli
