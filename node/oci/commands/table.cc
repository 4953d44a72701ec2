#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

constexpr size_t kMostInput = 16 << 20;

}  // namespace

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

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  return path == "-" ? ReadToEnd(0, "standard input") : ReadFile(path);
}

absl::StatusOr<std::string> ReadToEnd(int fd, const std::string& what) {
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) return ErrnoStatus("read", what);
    if (got > 0) text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMostInput) return absl::ResourceExhaustedError(what + ": too long");
  }
}

}  // namespace cluster::oci
