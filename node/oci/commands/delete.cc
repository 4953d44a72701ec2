#include <regex.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

constexpr Flag kDeleteFlags[] = {
    {"force", 'f', Flag::kSwitch, nullptr, "kill what runs; no error when there is no container"},
    {"regex", 0, Flag::kSwitch, nullptr, "all whose ID matches this extended regular expression"}};

absl::Status Delete(const Call& call, const std::string& id) {
  const bool force = call.arguments.Has("force");
  auto container = Container::Open(call.root, id, Container::Locking::kExclusive);
  if (!container.ok() && force && absl::IsNotFound(container.status())) {
    // Perhaps a start was killed before it had recorded anything: then nothing is made yet.
    auto directory = ContainerDirectory::Open(call.root, id);
    return directory.ok() ? directory->Remove() : absl::OkStatus();
  }
  RETURN_IF_ERROR(container.status());
  return container->Delete(force, call.log);
}

// regex(3). One that cannot be deleted keeps the others from nothing; the first refusal is
// returned.
absl::Status DeleteMatching(const Call& call, const std::string& pattern) {
  regex_t compiled{};
  const int flaw = ::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (flaw != 0) {
    char why[128];
    ::regerror(flaw, &compiled, why, sizeof why);
    return absl::InvalidArgumentError(absl::StrCat("--regex '", pattern, "': ", why));
  }
  const absl::Cleanup free = [&compiled] { ::regfree(&compiled); };
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, ContainerDirectory::List(call.root));
  absl::Status first;
  for (const std::string& id : ids) {
    if (::regexec(&compiled, id.c_str(), 0, nullptr, 0) != 0) continue;
    first.Update(Annotate(Delete(call, id), absl::StrCat("container ", id)));
  }
  return first;
}

absl::StatusOr<int> RunDelete(const Call& call) {
  const std::string& which = call.arguments.rest()[0];
  RETURN_IF_ERROR(call.arguments.Has("regex") ? DeleteMatching(call, which) : Delete(call, which));
  return 0;
}

}  // namespace

const Command kDeleteCommand = {
    "delete",     "ID",  1,     1,        "remove a container and all that was made for it",
    kDeleteFlags, false, false, RunDelete};

}  // namespace cluster::oci
