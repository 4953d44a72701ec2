#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"
#include "cli/commands/waiting.h"
#include "cli/output/conditions.h"

#include "base/status.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/jsonpath.h"
#include "proto/schema/printer.h"

namespace cluster::cli {
namespace {

struct WaitFlags {
  std::vector<std::string> words;
  std::string what;
  std::string selector;
  bool all = false;
  bool all_namespaces = false;
  absl::Duration timeout = absl::Seconds(30);
};

using Look = std::function<Progress(const v1::Object*)>;

Progress Met(bool met, std::string message) {
  return {met ? ProgressState::kReached : ProgressState::kUnderWay, std::move(message)};
}

Look ConditionLook(const std::string& type, const std::string& wanted) {
  return [type, wanted](const v1::Object* object) {
    if (object == nullptr) return Met(false, "it does not exist");
    const v1::Condition* condition = FindConditionOf(*object, type);
    if (condition == nullptr) return Met(false, absl::StrCat("it has no condition ", type));
    const std::string status(EnumText(condition->status()));
    return Met(absl::EqualsIgnoreCase(status, wanted),
               absl::StrCat(type, " is ", status, condition->message().empty() ? "" : ": ",
                            condition->message()));
  };
}

Look PathLook(const JsonPath& path, const std::string& wanted, bool any) {
  return [path, wanted, any](const v1::Object* object) {
    if (object == nullptr) return Met(false, "it does not exist");
    const absl::StatusOr<std::string> value = path.Print(ToJson(*object));
    if (!value.ok()) return Met(false, std::string(value.status().message()));
    const bool met = any ? !value->empty() : *value == wanted;
    return Met(met, absl::StrCat("it is \"", *value, "\""));
  };
}

// condition=Ready, condition=Ready=false, delete, create, jsonpath={.status.phase}=Running.
absl::StatusOr<Look> ParseLook(const std::string& what) {
  absl::string_view text = what;
  if (text == "create") {
    return Look(
        [](const v1::Object* object) { return Met(object != nullptr, "it does not exist"); });
  }
  if (absl::ConsumePrefix(&text, "condition=")) {
    const size_t equals = text.find('=');
    const std::string type(text.substr(0, equals));
    if (type.empty()) return UsageError("--for=condition= needs a type, such as condition=Ready");
    const bool has_value = equals != absl::string_view::npos;
    return ConditionLook(type, has_value ? std::string(text.substr(equals + 1)) : "True");
  }
  if (absl::ConsumePrefix(&text, "jsonpath=")) {
    const size_t end = text.rfind('}');
    const bool has_value = end != absl::string_view::npos && text.substr(end + 1, 1) == "=";
    const absl::string_view template_text = has_value ? text.substr(0, end + 1) : text;
    const absl::StatusOr<JsonPath> path = JsonPath::Parse(template_text);
    if (!path.ok()) return UsageError(path.status().message());
    return PathLook(*path, has_value ? std::string(text.substr(end + 2)) : "", !has_value);
  }
  return UsageError(absl::StrCat("--for=", what,
                                 " is not one of condition=TYPE[=STATUS], delete, create, "
                                 "jsonpath={PATH}[=VALUE]"));
}

absl::StatusOr<std::vector<v1::Object>> ToWaitFor(Session& session, const WaitFlags& flags,
                                                  bool may_be_missing) {
  Selection selection;
  ASSIGN_OR_RETURN(selection.targets, ParseTargets(flags.words));
  selection.label_selector = flags.selector;
  selection.all_namespaces = flags.all_namespaces;
  const bool selects = flags.all || !flags.selector.empty();
  for (const Target& target : selection.targets) {
    if (target.name.empty() && !selects) {
      return UsageError("say which ones: names, -l SELECTOR or --all");
    }
  }
  if (may_be_missing && !selects) {
    std::vector<v1::Object> named;
    for (const Target& target : selection.targets) {
      v1::Object& object = named.emplace_back(NewObject(*target.kind));
      MutableMeta(&object)->set_name(target.name);
      MutableMeta(&object)->set_namespace_(NamespaceFor(*target.kind, session));
    }
    return named;
  }
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  RETURN_IF_ERROR(found.missing);
  if (found.objects.empty() && !may_be_missing) {
    return absl::NotFoundError("no object matches, so there is nothing to wait for");
  }
  return found.objects;
}

absl::Status Wait(Session& session, const WaitFlags& flags) {
  const bool for_deletion = flags.what == "delete";
  Look look;
  if (!for_deletion) {
    ASSIGN_OR_RETURN(look, ParseLook(flags.what));
  }
  const absl::Time deadline = absl::Now() + flags.timeout;
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const std::vector<v1::Object> objects,
                   ToWaitFor(session, flags, for_deletion || flags.what == "create"));
  for (const v1::Object& object : objects) {
    const v1::ObjectMeta& meta = Meta(object);
    const ObjectName name = {&KindOf(object), meta.namespace_(), meta.name()};
    if (for_deletion) {
      RETURN_IF_ERROR(WaitUntilGone(*client, name, meta.uid(), deadline));
    } else {
      RETURN_IF_ERROR(WaitFor(*client, name, deadline, look));
    }
    session.out() << DisplayName(object) << " condition met\n";
    session.out().flush();
  }
  return absl::OkStatus();
}

}  // namespace

void AddWait(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "wait", "Waits until objects are in a state",
                 "clusterctl wait --for=condition=Ready pod/web-1 --timeout 60s\n"
                 "clusterctl wait --for=delete pods -l app=web\n"
                 "clusterctl wait --for=jsonpath='{.status.phase}'=Running pod/web-1");
  auto flags = std::make_shared<WaitFlags>();
  command->add_option("what", flags->words, "KIND NAME... or KIND/NAME...");
  command
      ->add_option("--for", flags->what,
                   "condition=TYPE[=STATUS], delete, create or jsonpath={PATH}[=VALUE]")
      ->required();
  command->add_option("-l,--selector", flags->selector, "All with these labels");
  command->add_flag("--all", flags->all, "All of the kind");
  command->add_flag("-A,--all-namespaces", flags->all_namespaces, "In all namespaces");
  AddDurationOption(*command, "--timeout", flags->timeout, "How long (default: 30s)");
  session.OnCommand(command, [&session, flags] { return Wait(session, *flags); });
}

}  // namespace cluster::cli
