#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/manifests.h"
#include "cli/commands/targets.h"
#include "cli/commands/waiting.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct DeleteFlags {
  std::vector<std::string> words;
  std::vector<std::string> files;
  std::string selector;
  std::string field_selector;
  std::string cascade = "background";
  std::string output;
  std::string dry_run;
  bool all = false;
  bool all_namespaces = false;
  bool wait = true;
  bool force = false;
  bool now = false;
  bool ignore_not_found = false;
  int64_t grace_period = -1;
  absl::Duration timeout = absl::ZeroDuration();
};

absl::StatusOr<v1::Propagation> ParseCascade(const std::string& word) {
  if (word == "background" || word == "true") return v1::PROPAGATION_BACKGROUND;
  if (word == "foreground") return v1::PROPAGATION_FOREGROUND;
  if (word == "orphan" || word == "false") return v1::PROPAGATION_ORPHAN;
  return UsageError(
      absl::StrCat("--cascade=", word, " is not one of background, foreground, orphan"));
}

absl::StatusOr<std::vector<v1::Object>> FromFiles(Session& session, const DeleteFlags& flags) {
  ASSIGN_OR_RETURN(const std::vector<Document> documents, ReadFiles(session, flags.files));
  std::vector<v1::Object> objects;
  for (const Document& document : documents) {
    v1::Object object = NewObject(KindOf(document.object));
    MutableMeta(&object)->set_name(Meta(document.object).name());
    MutableMeta(&object)->set_namespace_(Meta(document.object).namespace_());
    objects.push_back(std::move(object));
  }
  return objects;
}

// What is to go: named ones as they are written, without asking whether they exist; the rest
// listed.
absl::StatusOr<std::vector<v1::Object>> ToDelete(Session& session, const DeleteFlags& flags) {
  if (!flags.files.empty()) {
    if (!flags.words.empty()) return UsageError("give -f or names, not both");
    return FromFiles(session, flags);
  }
  Selection selection;
  ASSIGN_OR_RETURN(selection.targets, ParseTargets(flags.words));
  const bool selects = !flags.selector.empty() || !flags.field_selector.empty() || flags.all;
  selection.all_namespaces = flags.all_namespaces;
  selection.label_selector = flags.selector;
  selection.field_selector = flags.field_selector;
  std::vector<v1::Object> objects;
  for (const Target& target : selection.targets) {
    if (target.name.empty() != selects) {
      return UsageError(selects ? "give names or a selector, not both"
                                : "say which ones: names, -l SELECTOR or --all");
    }
    if (target.name.empty()) continue;
    v1::Object object = NewObject(*target.kind);
    MutableMeta(&object)->set_name(target.name);
    MutableMeta(&object)->set_namespace_(NamespaceFor(*target.kind, session));
    objects.push_back(std::move(object));
  }
  if (!selects) return objects;
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  return found.objects;
}

v1::DeleteRequest RequestFor(const v1::Object& object, const DeleteFlags& flags,
                             v1::Propagation propagation) {
  v1::DeleteRequest request;
  request.set_kind(KindOf(object).name);
  request.set_namespace_(Meta(object).namespace_());
  request.set_name(Meta(object).name());
  request.set_uid(Meta(object).uid());
  request.set_propagation(propagation);
  request.set_dry_run(!flags.dry_run.empty() && flags.dry_run != "none");
  if (flags.force) {
    request.set_grace_period_seconds(0);
  } else if (flags.now) {
    request.set_grace_period_seconds(1);
  } else if (flags.grace_period >= 0) {
    request.set_grace_period_seconds(flags.grace_period);
  }
  return request;
}

struct Ending {
  ObjectName name;
  std::string uid;
};

struct Deleted {
  // What still has to go.
  std::vector<Ending> endings;
  // What was not there and should have been, as one sentence.
  absl::Status missing;
};

// Goes on past what is not there: half of a manifest may be gone already.
absl::StatusOr<Deleted> DeleteAll(Session& session, Client& client,
                                  const std::vector<v1::Object>& objects, const DeleteFlags& flags,
                                  v1::Propagation propagation) {
  Deleted deleted;
  std::vector<std::string> missing;
  for (const v1::Object& object : objects) {
    const Kind& kind = KindOf(object);
    const v1::ObjectMeta& meta = Meta(object);
    const v1::DeleteRequest request = RequestFor(object, flags, propagation);
    const auto response = client.Delete(request);
    // What a selector found may go by itself before its turn comes.
    const bool may_be_gone = flags.ignore_not_found || !request.uid().empty();
    if (absl::IsNotFound(response.status())) {
      if (!may_be_gone) missing.emplace_back(response.status().message());
      continue;
    }
    RETURN_IF_ERROR(response.status());
    if (flags.output == "name") {
      session.out() << TargetText(kind, meta.name()) << "\n";
    } else {
      session.out() << kind.singular << " \"" << meta.name() << "\" "
                    << (flags.force ? "force deleted" : "deleted")
                    << (request.dry_run() ? " (server dry run)" : "") << "\n";
    }
    session.out().flush();
    if (!response->gone() && !request.dry_run()) {
      deleted.endings.push_back(
          {{&kind, meta.namespace_(), meta.name()}, Meta(response->object()).uid()});
    }
  }
  if (!missing.empty()) deleted.missing = absl::NotFoundError(absl::StrJoin(missing, "; "));
  return deleted;
}

absl::Status Delete(Session& session, const DeleteFlags& flags) {
  ASSIGN_OR_RETURN(const v1::Propagation propagation, ParseCascade(flags.cascade));
  if (flags.now && flags.grace_period >= 0) {
    return UsageError("give --now or --grace-period, not both");
  }
  if (!flags.output.empty() && flags.output != "name") return UsageError("only -o name is here");
  ASSIGN_OR_RETURN(const std::vector<v1::Object> objects, ToDelete(session, flags));
  if (objects.empty()) session.err() << "No resources found.\n";
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const Deleted deleted, DeleteAll(session, *client, objects, flags, propagation));
  if (!flags.wait) return deleted.missing;
  const absl::Time deadline = DeadlineAfter(absl::Now(), flags.timeout);
  for (const Ending& ending : deleted.endings) {
    RETURN_IF_ERROR(WaitUntilGone(*client, ending.name, ending.uid, deadline));
  }
  return deleted.missing;
}

}  // namespace

void AddDelete(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "delete", "Deletes objects and waits until they are gone",
                                 "clusterctl delete pod web-1 --now\n"
                                 "clusterctl delete deploy/web --cascade=orphan\n"
                                 "clusterctl delete -f spec.yaml\n"
                                 "clusterctl delete pods -l app=web --wait=false");
  auto flags = std::make_shared<DeleteFlags>();
  command->add_option("what", flags->words, "KIND NAME... or KIND/NAME...");
  command->add_option("-f,--filename", flags->files, "The objects of FILE, DIR or -")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("-l,--selector", flags->selector, "All with these labels");
  command->add_option("--field-selector", flags->field_selector, "All with these fields");
  command->add_flag("--all", flags->all, "All of the kind");
  command->add_flag("-A,--all-namespaces", flags->all_namespaces, "In all namespaces");
  command->add_option("--cascade", flags->cascade,
                      "What the object owns: background (default), foreground or orphan");
  command->add_option("--grace-period", flags->grace_period, "Seconds from SIGTERM to SIGKILL");
  command->add_flag("--now", flags->now, "The same as --grace-period=1");
  command->add_flag("--force", flags->force, "Kill at once");
  command->add_flag("--wait", flags->wait, "Wait until they are gone (default: true)");
  command->add_option("-o,--output", flags->output, "name");
  command->add_flag("--dry-run{server}", flags->dry_run, "Check, but delete nothing");
  command->add_flag("--ignore-not-found", flags->ignore_not_found, "A missing one is not an error");
  AddDurationOption(*command, "--timeout", flags->timeout, "How long to wait (default: for ever)");
  session.OnCommand(command, [&session, flags] { return Delete(session, *flags); });
}

}  // namespace cluster::cli
