#include "cli/commands/manifests.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/status.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

constexpr size_t kLimit = size_t{16} << 20;

absl::StatusOr<std::string> ReadInput(int fd) {
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", "standard input");
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kLimit) {
      return absl::ResourceExhaustedError("standard input holds more than 16 MiB of manifests");
    }
  }
}

bool IsManifest(const std::string& path) {
  return absl::EndsWith(path, ".yaml") || absl::EndsWith(path, ".yml") ||
         absl::EndsWith(path, ".json");
}

absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (IsManifest(entry.path().string()) && !entry.is_directory()) {
      files.push_back(entry.path().string());
    }
  }
  if (error) return absl::InternalError(absl::StrCat(folder, ": ", error.message()));
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat(folder, " holds no *.yaml, *.yml or *.json file"));
  }
  return files;
}

absl::StatusOr<std::vector<std::string>> Expand(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (path != "-" && std::filesystem::is_directory(path, error)) {
      ASSIGN_OR_RETURN(const std::vector<std::string> inside, FilesOf(path));
      files.insert(files.end(), inside.begin(), inside.end());
    } else {
      files.push_back(path);
    }
  }
  return files;
}

absl::StatusOr<std::string> ReadOne(Session& session, const std::string& path) {
  if (path == "-") return ReadInput(session.terminal().input);
  absl::StatusOr<std::string> text = ReadFile(path, kLimit);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("there is no file ", path));
  }
  return text;
}

// The object's namespace: its own, else the one that -n says; the two must not differ.
absl::Status SetNamespace(Session& session, Document& document) {
  const Kind& kind = KindOf(document.object);
  v1::ObjectMeta* const meta = MutableMeta(&document.object);
  if (!kind.namespaced) return absl::OkStatus();
  if (meta->namespace_().empty()) {
    meta->set_namespace_(session.name_space());
  } else if (!session.flags().name_space.empty() &&
             meta->namespace_() != session.flags().name_space) {
    const Position at = FindPosition(document, "metadata.namespace");
    return PositionedError(absl::StrCat(
        document.file, ":", at.line, ":", at.column, ": metadata.namespace: is \"",
        meta->namespace_(), "\", but -n says \"", session.flags().name_space, "\"; drop one"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Document>> ReadFiles(Session& session,
                                                const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, Expand(paths));
  std::vector<Document> documents;
  std::vector<ReadError> errors;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string text, ReadOne(session, file));
    ReadResult result = ReadManifests(text, file);
    errors.insert(errors.end(), result.errors.begin(), result.errors.end());
    for (Document& document : result.documents) documents.push_back(std::move(document));
  }
  if (!errors.empty()) return PositionedError(ToStatus(errors).message());
  for (Document& document : documents) RETURN_IF_ERROR(SetNamespace(session, document));
  if (documents.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no object in ", absl::StrJoin(paths, ", ")));
  }
  return documents;
}

absl::Status WithPositions(const absl::Status& status, const std::vector<Document>& documents) {
  const v1::Violations violations = ViolationsOf(status);
  if (violations.violations().empty()) return status;
  std::vector<std::string> lines;
  for (const v1::Violation& violation : violations.violations()) {
    const std::string sentence = violation.field().empty()
                                     ? violation.message()
                                     : absl::StrCat(violation.field(), ": ", violation.message());
    const auto index = static_cast<size_t>(violation.object());
    if (index >= documents.size()) {
      lines.push_back(sentence);
      continue;
    }
    const Position at = FindPosition(documents[index], violation.field());
    lines.push_back(
        absl::StrCat(documents[index].file, ":", at.line, ":", at.column, ": ", sentence));
  }
  return PositionedError(absl::StrJoin(lines, "\n"));
}

void AddFileFlags(CLI::App& command, FileFlags& flags) {
  command.add_option("file", flags.positional, "FILE, DIR or - (standard input)");
  command.add_option("-f,--filename", flags.files, "FILE, DIR or -; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

absl::StatusOr<std::vector<Document>> ReadFiles(Session& session, const FileFlags& flags,
                                                absl::string_view command) {
  std::vector<std::string> paths = flags.positional;
  paths.insert(paths.end(), flags.files.begin(), flags.files.end());
  if (paths.empty()) {
    return UsageError(absl::StrCat("name a file: clusterctl ", command, " spec.yaml"));
  }
  return ReadFiles(session, paths);
}

}  // namespace cluster::cli
