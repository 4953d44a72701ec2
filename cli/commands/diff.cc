#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/manifests.h"
#include "cli/output/line_diff.h"

#include "base/status.h"
#include "proto/schema/kinds.h"
#include "proto/schema/printer.h"

namespace cluster::cli {
namespace {

// What of the object a manifest could say.
v1::Object Declared(v1::Object object) {
  v1::ObjectMeta* meta = MutableMeta(&object);
  meta->clear_resource_version();
  meta->clear_generation();
  google::protobuf::Message* message = MutableInner(&object);
  const auto* status = message->GetDescriptor()->FindFieldByName("status");
  if (status != nullptr) message->GetReflection()->ClearField(message, status);
  return object;
}

// A secret's values are not for the screen; where they differ is shown.
void Mask(const std::string& part, Json* live, Json* merged) {
  for (const auto& [key, value] : (*merged)[part].items()) {
    const bool there = live->contains(part) && (*live)[part].contains(key);
    if (there && (*live)[part][key] != value) {
      (*live)[part][key] = "*** (before)";
      (*merged)[part][key] = "*** (after)";
    } else {
      (*merged)[part][key] = "***";
    }
  }
  if (!live->contains(part)) return;
  for (const auto& [key, value] : (*live)[part].items()) {
    if (value != "*** (before)") (*live)[part][key] = "***";
  }
}

absl::StatusOr<std::string> DiffOf(Client& client, const v1::ApplyResult& result) {
  const v1::ObjectMeta& meta = Meta(result.object());
  const std::string name = DisplayName(result.object());
  const bool is_new = result.outcome() == v1::APPLY_OUTCOME_CREATED;
  Json merged = ToJson(Declared(result.object()));
  Json live;
  if (!is_new) {
    ASSIGN_OR_RETURN(const v1::Object object,
                     client.Get(KindOf(result.object()).name, meta.namespace_(), meta.name()));
    live = ToJson(Declared(object));
  }
  if (result.object().has_secret()) {
    for (const char* part : {"data", "stringData"}) {
      if (merged.contains(part)) Mask(part, &live, &merged);
    }
  }
  return UnifiedDiff(is_new ? "" : PrintYaml(live), PrintYaml(merged), absl::StrCat("LIVE/", name),
                     absl::StrCat("MERGED/", name));
}

absl::StatusOr<bool> PrintDiff(Session& session, const FileFlags& flags) {
  ASSIGN_OR_RETURN(const std::vector<Document> documents, ReadFiles(session, flags, "diff"));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::ApplyRequest request;
  request.set_dry_run(true);
  for (const Document& document : documents) *request.add_objects() = document.object;
  const absl::StatusOr<v1::ApplyResponse> response = client->Apply(std::move(request));
  if (!response.ok()) return WithPositions(response.status(), documents);
  bool differ = false;
  for (const v1::ApplyResult& result : response->results()) {
    if (result.outcome() == v1::APPLY_OUTCOME_UNCHANGED) continue;
    ASSIGN_OR_RETURN(const std::string text, DiffOf(*client, result));
    session.out() << text;
    differ = differ || !text.empty();
  }
  return differ;
}

}  // namespace

void AddDiff(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(
      app, "diff",
      "Prints how objects differ from what the files would make of them; the exit code is 0 where "
      "nothing differs, 1 where something does, 2 where that cannot be told",
      "clusterctl diff spec.yaml\n"
      "clusterctl diff -f manifests/");
  auto flags = std::make_shared<FileFlags>();
  AddFileFlags(*command, *flags);
  session.OnCommand(command, [&session, flags]() -> absl::StatusOr<int> {
    const absl::StatusOr<bool> differ = PrintDiff(session, *flags);
    if (!differ.ok()) return AsUsageError(differ.status());
    return *differ ? 1 : 0;
  });
}

}  // namespace cluster::cli
