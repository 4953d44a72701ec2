// Manifest files as the commands take them: FILE, DIR (its *.yaml, *.yml and *.json in the order of
// their names) or - (standard input).
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

#include "proto/schema/reader.h"

namespace cluster::cli {

// Every object of every file, in order, with the session's namespace where the object says none.
// Everything that is wrong comes as one status with a line FILE:LINE:COL: ... for each.
absl::StatusOr<std::vector<Document>> ReadFiles(Session& session,
                                                const std::vector<std::string>& paths);

// What a command takes that works on files: words, or -f as often as one likes.
struct FileFlags {
  std::vector<std::string> positional;
  std::vector<std::string> files;
};
void AddFileFlags(CLI::App& command, FileFlags& flags);
// UsageError where none is named.
absl::StatusOr<std::vector<Document>> ReadFiles(Session& session, const FileFlags& flags,
                                                absl::string_view command);

// The controller's violations as FILE:LINE:COL: field: message, one per line; other errors as they
// are.
absl::Status WithPositions(const absl::Status& status, const std::vector<Document>& documents);

}  // namespace cluster::cli
