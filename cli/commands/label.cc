// `label` and `annotate`: the same change to one or the other map.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/rewrite.h"
#include "cli/commands/targets.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

using Map = google::protobuf::Map<std::string, std::string>;

struct MapFlags {
  bool labels = false;  // else annotations
  std::vector<std::string> words;
  std::string selector;
  bool all = false;
  bool all_namespaces = false;
  bool overwrite = false;
};

struct MapChange {
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
};

Map* MapOf(v1::Object* object, bool labels) {
  v1::ObjectMeta* const meta = MutableMeta(object);
  return labels ? meta->mutable_labels() : meta->mutable_annotations();
}

bool IsChange(const std::string& word) {
  return absl::StrContains(word, '=') || absl::EndsWith(word, "-");
}

// KEY=VALUE sets, KEY- removes; what comes before those names the objects.
absl::StatusOr<MapChange> ParseChange(const MapFlags& flags, std::vector<std::string>& objects) {
  MapChange change;
  for (const std::string& word : flags.words) {
    if (!IsChange(word)) {
      if (!change.set.empty() || !change.remove.empty()) {
        return UsageError(absl::StrCat("\"", word, "\" is neither KEY=VALUE nor KEY-"));
      }
      objects.push_back(word);
    } else if (const size_t equals = word.find('='); equals != std::string::npos) {
      change.set[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      change.remove.push_back(word.substr(0, word.size() - 1));
    }
  }
  if (change.set.empty() && change.remove.empty()) {
    return UsageError("say what to change: KEY=VALUE or KEY-");
  }
  return change;
}

absl::StatusOr<bool> ChangeMap(const MapChange& change, const MapFlags& flags, v1::Object* object) {
  Map* const map = MapOf(object, flags.labels);
  bool changed = false;
  for (const auto& [key, value] : change.set) {
    const auto found = map->find(key);
    if (found != map->end() && found->second == value) continue;
    if (found != map->end() && !flags.overwrite) {
      return absl::AlreadyExistsError(absl::StrCat(DisplayName(*object), " has ", key, "=",
                                                   found->second,
                                                   " already; give --overwrite to change it"));
    }
    (*map)[key] = value;
    changed = true;
  }
  for (const std::string& key : change.remove) changed = map->erase(key) > 0 || changed;
  return changed;
}

absl::Status ChangeAll(Session& session, const MapFlags& flags) {
  std::vector<std::string> words;
  ASSIGN_OR_RETURN(const MapChange change, ParseChange(flags, words));
  Selection selection;
  ASSIGN_OR_RETURN(selection.targets, ParseTargets(words));
  selection.label_selector = flags.selector;
  selection.all_namespaces = flags.all_namespaces;
  const bool selects = flags.all || !flags.selector.empty();
  for (const Target& target : selection.targets) {
    if (target.name.empty() && !selects) {
      return UsageError("say which ones: names, -l SELECTOR or --all");
    }
  }
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  // What is wrong with one of them keeps nobody from the others.
  absl::Status problem;
  for (const v1::Object& object : found.objects) {
    const absl::StatusOr<bool> changed =
        Rewrite(*client, object,
                [&change, &flags](v1::Object* each) { return ChangeMap(change, flags, each); });
    if (!changed.ok()) {
      problem.Update(changed.status());
      continue;
    }
    session.out() << DisplayName(object)
                  << (!*changed      ? " unchanged"
                      : flags.labels ? " labeled"
                                     : " annotated")
                  << "\n";
  }
  problem.Update(found.missing);
  return problem;
}

void Add(CLI::App& app, Session& session, bool labels, const std::string& description,
         const std::string& examples) {
  CLI::App* command = AddCommand(app, labels ? "label" : "annotate", description, examples);
  auto flags = std::make_shared<MapFlags>();
  flags->labels = labels;
  command->add_option("what", flags->words, "KIND NAME... or KIND/NAME..., then KEY=VALUE or KEY-");
  command->add_option("-l,--selector", flags->selector, "All with these labels");
  command->add_flag("--all", flags->all, "All of the kind");
  command->add_flag("-A,--all-namespaces", flags->all_namespaces, "In all namespaces");
  command->add_flag("--overwrite", flags->overwrite, "Change a value that is there already");
  session.OnCommand(command, [&session, flags] { return ChangeAll(session, *flags); });
}

}  // namespace

void AddLabel(CLI::App& app, Session& session) {
  Add(app, session, true, "Sets and removes labels",
      "clusterctl label node node1 disk=ssd\n"
      "clusterctl label pods -l app=web tier=front --overwrite\n"
      "clusterctl label node node1 disk-");
  Add(app, session, false, "Sets and removes annotations",
      "clusterctl annotate deploy/web kubernetes.io/change-cause='new image'");
}

}  // namespace cluster::cli
