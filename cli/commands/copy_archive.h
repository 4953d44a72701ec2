// What `cp` sends to a container and takes from it: a tar archive of one file or directory.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::cli {

// Takes the next bytes of an archive; an error ends the work and is its result.
using GiveBytes = std::function<absl::Status(absl::string_view bytes)>;
// The next bytes of an archive; "" at its end.
using TakeBytes = std::function<absl::StatusOr<std::string>()>;
// Takes a sentence about something that was left out.
using Warn = std::function<void(const std::string& sentence)>;

// Packs the file or directory `path`, with all that is in it, under the name `name` (one path
// component). Symbolic links below it go as such; a link `path` is followed. What is neither file,
// directory nor link is left out. Errors: what stat, open and read say of the file.
absl::Status PackForCopy(const std::string& path, const std::string& name, const GiveBytes& give,
                         const Warn& warn);

// Unpacks what the archive has under `name` to `to`: a directory becomes `to`, or is merged into it
// where it exists; a file becomes `to`, or goes into the directory `to` under its own name.
// Whoever made the archive is not trusted: nothing is written outside of `to`, no link below it is
// followed, what is in the way is replaced and not written through, and set-id bits are dropped.
// Symbolic links and special files are left out. NotFound: nothing of that name.
// InvalidArgument: a member leads out of it, or this is no tar archive.
absl::Status UnpackCopied(const TakeBytes& take, const std::string& name, const std::string& to,
                          const Warn& warn);

}  // namespace cluster::cli
