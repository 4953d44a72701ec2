#include "base/file.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {

absl::Span<const Command* const> Commands() {
  static const Command* const kAll[] = {
      &kCreateCommand, &kDeleteCommand, &kEventsCommand, &kExecCommand,  &kFeaturesCommand,
      &kKillCommand,   &kListCommand,   &kPauseCommand,  &kPsCommand,    &kResumeCommand,
      &kRunCommand,    &kSpecCommand,   &kStartCommand,  &kStateCommand, &kUpdateCommand};
  return kAll;
}

const Command* FindCommand(absl::string_view name) {
  for (const Command* command : Commands()) {
    if (name == command->name) return command;
  }
  return nullptr;
}

absl::Status Print(absl::string_view text) { return WriteAll(1, text); }

}  // namespace cluster::oci
