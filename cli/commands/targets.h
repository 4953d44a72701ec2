// The objects that a command line names: `pods`, `pods,deploy`, `pod a b`, `pod/a deploy/b`, `all`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/session.h"

#include "proto/schema/kinds.h"

namespace cluster::cli {

struct Target {
  const Kind* kind = nullptr;
  // Empty: every object of the kind.
  std::string name;
};

// By any of its names, also as deployments.apps. A UsageError names what was close, or says that
// the kind is not here yet.
absl::StatusOr<const Kind*> ParseKind(const std::string& word);

// UsageError for what is none of the forms above.
absl::StatusOr<std::vector<Target>> ParseTargets(const std::vector<std::string>& words);

// Exactly one named object, as KIND NAME or KIND/NAME. `default_kind` (may be empty) is meant by a
// bare name.
absl::StatusOr<Target> ParseOneTarget(const std::vector<std::string>& words,
                                      const std::string& default_kind = "");

// The namespace to look in for this kind: empty where it lives in none.
std::string NamespaceFor(const Kind& kind, Session& session);

// "pod/web"
std::string TargetText(const Kind& kind, const std::string& name);

// Which objects of which kinds to fetch.
struct Selection {
  std::vector<Target> targets;
  bool all_namespaces = false;
  std::string label_selector;
  std::string field_selector;
};

// What a selection found, kind by kind in the order asked for.
struct Found {
  std::vector<v1::Object> objects;
  // Of the last list, to watch from.
  int64_t revision = 0;
  // What was asked for by name and is not there: one sentence for all of it; ok when nothing is.
  absl::Status missing;
};

// Errors are those of the controller; objects that are missing are not one.
absl::StatusOr<Found> Fetch(Session& session, const Selection& selection);

// One object by name.
absl::StatusOr<v1::Object> FetchOne(Session& session, const Target& target);

}  // namespace cluster::cli
