#include <algorithm>

#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr Flag kListFlags[] = {
    {"format", 'f', Flag::kValue, "table|json", "how to print them; default: table"},
    {"quiet", 'q', Flag::kSwitch, nullptr, "IDs alone"}};

std::string Table(const std::vector<Container>& containers) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const Container& container : containers) {
    const State& state = container.state();
    const bool ended = container.status() == Status::kStopped;
    rows.push_back({state.id, absl::StrCat(ended ? 0 : state.pid), StatusName(container.status()),
                    state.bundle, state.created, state.owner});
  }
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      text += i + 1 < row.size() ? std::string(widths[i] + 2 - row[i].size(), ' ') : "\n";
    }
  }
  return text;
}

absl::StatusOr<int> RunList(const Call& call) {
  const std::string format = call.arguments.Text("format", "table");
  if (format != "table" && format != "json") {
    return absl::InvalidArgumentError(absl::StrCat("--format '", format, "': is table or json"));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, ContainerDirectory::List(call.root));
  std::vector<Container> containers;
  for (const std::string& id : ids) {
    auto container = Container::Open(call.root, id, Container::Locking::kNone);
    // Deleted meanwhile, or on its way into being.
    if (absl::IsNotFound(container.status())) continue;
    if (container.ok()) {
      containers.push_back(*std::move(container));
    } else {
      call.log->Warn(container.status().message());
    }
  }
  if (call.arguments.Has("quiet")) {
    std::string text;
    for (const Container& container : containers)
      absl::StrAppend(&text, container.state().id, "\n");
    RETURN_IF_ERROR(Print(text));
    return 0;
  }
  if (format == "table") {
    RETURN_IF_ERROR(Print(Table(containers)));
    return 0;
  }
  OrderedJson list = OrderedJson::array();
  for (const Container& container : containers) {
    list.push_back(OrderedJson::parse(container.Describe()));
  }
  RETURN_IF_ERROR(Print(absl::StrCat(list.dump(), "\n")));
  return 0;
}

}  // namespace

const Command kListCommand = {"list",     "",    0,     0,      "print the containers below --root",
                              kListFlags, false, false, RunList};

}  // namespace cluster::oci
