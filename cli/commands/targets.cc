#include "cli/commands/targets.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

// What `all` stands for: the workloads.
constexpr absl::string_view kAllKinds[] = {"Pod",
                                           "Service",
                                           "DaemonSet",
                                           "Deployment",
                                           "ReplicaSet",
                                           "StatefulSet",
                                           "HorizontalPodAutoscaler",
                                           "Job",
                                           "CronJob"};

// deployments.apps and deployments.v1.apps mean deployments.
const Kind* FindQualifiedKind(const std::string& word) {
  if (const Kind* kind = FindKind(word); kind != nullptr) return kind;
  const size_t dot = word.find('.');
  if (dot == std::string::npos) return nullptr;
  const Kind* kind = FindKind(word.substr(0, dot));
  const std::string group = word.substr(word.rfind('.') + 1);
  return kind != nullptr && absl::StartsWith(kind->api_version, group + "/") ? kind : nullptr;
}

bool IsNotYet(const std::string& word) {
  std::string kind = word;
  if (!kind.empty()) kind[0] = absl::ascii_toupper(static_cast<unsigned char>(kind[0]));
  if (IsKnownButNotYet(kind)) return true;
  return absl::EndsWith(kind, "s") && IsKnownButNotYet(kind.substr(0, kind.size() - 1));
}

absl::StatusOr<std::vector<Target>> ParsePairs(const std::vector<std::string>& words) {
  std::vector<Target> targets;
  for (const std::string& word : words) {
    const std::vector<std::string> parts = absl::StrSplit(word, '/');
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
      return UsageError(absl::StrCat("\"", word,
                                     "\" is not KIND/NAME; do not mix KIND NAME and "
                                     "KIND/NAME"));
    }
    ASSIGN_OR_RETURN(const Kind* const kind, ParseKind(parts[0]));
    targets.push_back({kind, parts[1]});
  }
  return targets;
}

absl::StatusOr<std::vector<const Kind*>> ParseKinds(const std::string& list) {
  std::vector<const Kind*> kinds;
  for (const absl::string_view text : absl::StrSplit(list, ',')) {
    const std::string word(text);
    if (word == "all") {
      for (const absl::string_view name : kAllKinds) kinds.push_back(FindKind(name));
      continue;
    }
    ASSIGN_OR_RETURN(const Kind* const kind, ParseKind(word));
    kinds.push_back(kind);
  }
  return kinds;
}

}  // namespace

absl::StatusOr<const Kind*> ParseKind(const std::string& word) {
  if (const Kind* kind = FindQualifiedKind(word); kind != nullptr) return kind;
  if (IsNotYet(word)) return UsageError(absl::StrCat("\"", word, "\" is not supported yet"));
  std::vector<std::string> words;
  for (const Kind& kind : AllKinds()) {
    words.insert(words.end(), {kind.plural, kind.singular});
    words.insert(words.end(), kind.short_names.begin(), kind.short_names.end());
  }
  const std::string close = DidYouMean(word, words);
  return UsageError(absl::StrCat("there is no kind \"", word, "\"; ",
                                 close.empty() ? "see clusterctl api-resources"
                                               : absl::StrCat("did you mean \"", close, "\"?")));
}

absl::StatusOr<std::vector<Target>> ParseTargets(const std::vector<std::string>& words) {
  if (words.empty()) {
    return UsageError("name a kind, such as pods or deployment/web; see clusterctl api-resources");
  }
  if (absl::StrContains(words[0], '/')) return ParsePairs(words);
  ASSIGN_OR_RETURN(const std::vector<const Kind*> kinds, ParseKinds(words[0]));
  std::vector<Target> targets;
  for (const Kind* kind : kinds) {
    if (words.size() == 1) targets.push_back({kind, ""});
    for (size_t i = 1; i < words.size(); ++i) {
      if (absl::StrContains(words[i], '/')) {
        return UsageError(absl::StrCat("\"", words[i],
                                       "\" is not a name; do not mix KIND NAME and "
                                       "KIND/NAME"));
      }
      targets.push_back({kind, words[i]});
    }
  }
  return targets;
}

absl::StatusOr<Target> ParseOneTarget(const std::vector<std::string>& words,
                                      const std::string& default_kind) {
  if (words.size() == 1 && !absl::StrContains(words[0], '/') && !default_kind.empty()) {
    return Target{FindKind(default_kind), words[0]};
  }
  ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(words));
  if (targets.size() != 1 || targets[0].name.empty()) {
    return UsageError("name one object, as KIND/NAME");
  }
  return targets[0];
}

std::string NamespaceFor(const Kind& kind, Session& session) {
  return kind.namespaced ? session.name_space() : "";
}

std::string TargetText(const Kind& kind, const std::string& name) {
  return absl::StrCat(kind.singular, "/", name);
}

absl::StatusOr<v1::Object> FetchOne(Session& session, const Target& target) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  return client->Get(target.kind->name, NamespaceFor(*target.kind, session), target.name);
}

absl::StatusOr<Found> Fetch(Session& session, const Selection& selection) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  Found found;
  std::vector<std::string> missing;
  for (const Target& target : selection.targets) {
    if (!target.name.empty()) {
      absl::StatusOr<v1::Object> object = FetchOne(session, target);
      if (absl::IsNotFound(object.status())) {
        missing.emplace_back(object.status().message());
        continue;
      }
      RETURN_IF_ERROR(object.status());
      found.objects.push_back(*std::move(object));
      continue;
    }
    v1::ListRequest request;
    request.set_kind(target.kind->name);
    if (!selection.all_namespaces) request.set_namespace_(NamespaceFor(*target.kind, session));
    request.set_label_selector(selection.label_selector);
    request.set_field_selector(selection.field_selector);
    ASSIGN_OR_RETURN(v1::ListResponse list, client->List(request));
    found.revision = list.revision();
    for (v1::Object& object : *list.mutable_objects()) found.objects.push_back(std::move(object));
  }
  if (!missing.empty()) found.missing = absl::NotFoundError(absl::StrJoin(missing, "; "));
  return found;
}

}  // namespace cluster::cli
