#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/commands/commands.h"
#include "cli/commands/rewrite.h"
#include "cli/commands/targets.h"

#include "base/status.h"
#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

struct TaintFlags {
  std::vector<std::string> words;
  std::string selector;
  bool all = false;
  bool overwrite = false;
};

struct TaintChange {
  std::vector<v1::Taint> set;
  std::vector<v1::Taint> remove;  // without an effect: of every effect
};

absl::StatusOr<v1::TaintEffect> ParseEffect(const std::string& word, absl::string_view text) {
  for (const auto effect : {v1::TAINT_EFFECT_NO_SCHEDULE, v1::TAINT_EFFECT_PREFER_NO_SCHEDULE,
                            v1::TAINT_EFFECT_NO_EXECUTE}) {
    if (EnumText(effect) == text) return effect;
  }
  return UsageError(absl::StrCat("\"", word, "\": the effect is \"", text,
                                 "\"; say NoSchedule, PreferNoSchedule or NoExecute"));
}

// KEY[=VALUE]:EFFECT sets, KEY[:EFFECT]- removes.
absl::Status ParseTaint(const std::string& word, TaintChange* change) {
  absl::string_view text = word;
  const bool remove = absl::ConsumeSuffix(&text, "-");
  v1::Taint taint;
  const size_t colon = text.rfind(':');
  if (colon != absl::string_view::npos) {
    ASSIGN_OR_RETURN(const v1::TaintEffect effect, ParseEffect(word, text.substr(colon + 1)));
    taint.set_effect(effect);
    text = text.substr(0, colon);
  } else if (!remove) {
    return UsageError(absl::StrCat("\"", word, "\" has no effect; say KEY[=VALUE]:EFFECT"));
  }
  const size_t equals = text.find('=');
  taint.set_key(std::string(text.substr(0, equals)));
  if (equals != absl::string_view::npos) taint.set_value(std::string(text.substr(equals + 1)));
  if (taint.key().empty()) {
    return UsageError(absl::StrCat("\"", word, "\" has no key; say KEY[=VALUE]:EFFECT"));
  }
  (remove ? change->remove : change->set).push_back(std::move(taint));
  return absl::OkStatus();
}

bool IsTaintWord(const std::string& word) {
  return absl::StrContains(word, ':') || absl::StrContains(word, '=') || absl::EndsWith(word, "-");
}

// Each taint is to be changed once.
absl::Status CheckOnce(const TaintChange& change) {
  std::vector<v1::Taint> seen;
  for (const auto* list : {&change.set, &change.remove}) {
    for (const v1::Taint& each : *list) {
      for (const v1::Taint& other : seen) {
        const bool effects = each.effect() == other.effect() ||
                             each.effect() == v1::TAINT_EFFECT_UNSPECIFIED ||
                             other.effect() == v1::TAINT_EFFECT_UNSPECIFIED;
        if (each.key() == other.key() && effects) {
          return UsageError(absl::StrCat("the taint ", each.key(),
                                         " is named twice; say once what "
                                         "becomes of it"));
        }
      }
      seen.push_back(each);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TaintChange> ParseTaints(const TaintFlags& flags,
                                        std::vector<std::string>& objects) {
  TaintChange change;
  for (const std::string& word : flags.words) {
    if (IsTaintWord(word)) {
      RETURN_IF_ERROR(ParseTaint(word, &change));
    } else if (!change.set.empty() || !change.remove.empty()) {
      return UsageError(absl::StrCat("\"", word, "\" is neither KEY[=VALUE]:EFFECT nor KEY-"));
    } else {
      objects.push_back(word);
    }
  }
  if (change.set.empty() && change.remove.empty()) {
    return UsageError("say what to change: KEY[=VALUE]:EFFECT or KEY[:EFFECT]-");
  }
  RETURN_IF_ERROR(CheckOnce(change));
  return change;
}

absl::StatusOr<bool> ChangeTaints(const TaintChange& change, bool overwrite, v1::Object* object) {
  auto* const taints = object->mutable_node()->mutable_spec()->mutable_taints();
  bool changed = false;
  for (const v1::Taint& wanted : change.remove) {
    const int before = taints->size();
    for (int i = taints->size() - 1; i >= 0; --i) {
      const bool every = wanted.effect() == v1::TAINT_EFFECT_UNSPECIFIED;
      if (taints->Get(i).key() != wanted.key()) continue;
      if (every || taints->Get(i).effect() == wanted.effect()) taints->DeleteSubrange(i, 1);
    }
    if (taints->size() == before) {
      return absl::NotFoundError(absl::StrCat(
          DisplayName(*object), " has no taint ", wanted.key(),
          wanted.effect() == v1::TAINT_EFFECT_UNSPECIFIED ? "" : ":", EnumText(wanted.effect())));
    }
    changed = true;
  }
  for (const v1::Taint& wanted : change.set) {
    v1::Taint* same = nullptr;
    for (v1::Taint& each : *taints) {
      if (each.key() == wanted.key() && each.effect() == wanted.effect()) same = &each;
    }
    if (same != nullptr && same->value() == wanted.value()) continue;
    if (same != nullptr && !overwrite) {
      return absl::AlreadyExistsError(
          absl::StrCat(DisplayName(*object), " has the taint ", same->key(), "=", same->value(),
                       ":", EnumText(same->effect()), " already; give --overwrite to change it"));
    }
    // A changed taint counts from now.
    if (same == nullptr) same = taints->Add();
    *same = wanted;
    changed = true;
  }
  return changed;
}

absl::Status TaintAll(Session& session, const TaintFlags& flags) {
  std::vector<std::string> words;
  ASSIGN_OR_RETURN(const TaintChange change, ParseTaints(flags, words));
  Selection selection;
  ASSIGN_OR_RETURN(selection.targets, ParseTargets(words));
  selection.label_selector = flags.selector;
  for (const Target& target : selection.targets) {
    if (target.kind->object_case != v1::Object::kNode) {
      return UsageError(absl::StrCat(target.kind->plural, " have no taints; nodes have"));
    }
    if (target.name.empty() && !flags.all && flags.selector.empty()) {
      return UsageError("say which nodes: names, -l SELECTOR or --all");
    }
  }
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  const char* const done = change.set.empty()      ? " untainted"
                           : change.remove.empty() ? " tainted"
                                                   : " modified";
  // What is wrong with one of them keeps nobody from the others.
  absl::Status problem;
  for (const v1::Object& object : found.objects) {
    const absl::StatusOr<bool> changed =
        Rewrite(*client, object, [&change, &flags](v1::Object* each) {
          return ChangeTaints(change, flags.overwrite, each);
        });
    if (!changed.ok()) {
      problem.Update(changed.status());
      continue;
    }
    session.out() << DisplayName(object) << (*changed ? done : " unchanged") << "\n";
  }
  problem.Update(found.missing);
  return problem;
}

}  // namespace

void AddTaint(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "taint", "Sets and removes taints of nodes",
                                 "clusterctl taint nodes node1 maintenance:NoExecute\n"
                                 "clusterctl taint nodes -l disk=ssd for=databases:NoSchedule\n"
                                 "clusterctl taint nodes node1 maintenance-");
  auto flags = std::make_shared<TaintFlags>();
  command->add_option("what", flags->words,
                      "nodes NAME..., then KEY[=VALUE]:EFFECT or KEY[:EFFECT]-");
  command->add_option("-l,--selector", flags->selector, "All with these labels");
  command->add_flag("--all", flags->all, "All nodes");
  command->add_flag("--overwrite", flags->overwrite, "Change a value that is there already");
  session.OnCommand(command, [&session, flags] { return TaintAll(session, *flags); });
}

}  // namespace cluster::cli
