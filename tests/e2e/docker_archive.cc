#include "tests/e2e/docker_archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <stdexcept>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "openssl/sha.h"

#include "base/file.h"
#include "tests/e2e/local_fixture.h"

namespace cluster::e2e {
namespace {

std::string Sha256(const std::string& data) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof digest));
}

la_ssize_t Append(archive* /*writer*/, void* out, const void* data, size_t size) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

std::string Tar(const std::vector<ArchiveFile>& files) {
  std::string out;
  archive* writer = archive_write_new();
  archive_write_set_format_pax_restricted(writer);
  archive_write_open(writer, &out, nullptr, Append, nullptr);
  for (const ArchiveFile& file : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, file.path.c_str());
    archive_entry_set_perm(entry, static_cast<mode_t>(file.mode));
    if (file.type == ArchiveFile::Type::kSymlink) {
      archive_entry_set_filetype(entry, AE_IFLNK);
      archive_entry_set_symlink(entry, file.content.c_str());
    } else if (file.type == ArchiveFile::Type::kDirectory) {
      archive_entry_set_filetype(entry, AE_IFDIR);
    } else {
      archive_entry_set_filetype(entry, AE_IFREG);
      archive_entry_set_size(entry, static_cast<la_int64_t>(file.content.size()));
    }
    if (archive_write_header(writer, entry) != ARCHIVE_OK) throw std::runtime_error(file.path);
    if (file.type == ArchiveFile::Type::kFile) {
      archive_write_data(writer, file.content.data(), file.content.size());
    }
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return out;
}

}  // namespace

void WriteDockerArchive(const std::string& path, const std::string& name,
                        const std::vector<ArchiveFile>& files,
                        const std::vector<std::string>& command) {
  const std::string layer = Tar(files);
  const nlohmann::json config = {
      {"architecture", "amd64"},
      {"os", "linux"},
      {"config", {{"Env", {"PATH=/bin"}}, {"Cmd", command}, {"WorkingDir", "/"}}},
      {"rootfs", {{"type", "layers"}, {"diff_ids", {"sha256:" + Sha256(layer)}}}}};
  const std::string config_text = config.dump();
  const std::string config_name = Sha256(config_text) + ".json";
  const nlohmann::json manifest = {
      {{"Config", config_name}, {"RepoTags", {name}}, {"Layers", {"layer.tar"}}}};
  const std::string archive = Tar({{"manifest.json", manifest.dump(), 0644},
                                   {config_name, config_text, 0644},
                                   {"layer.tar", layer, 0644}});
  const absl::Status status = WriteFileDurably(path, archive, 0644);
  if (!status.ok()) throw std::runtime_error(std::string(status.message()));
}

std::vector<ArchiveFile> BusyboxFiles() {
  using Type = ArchiveFile::Type;
  std::vector<ArchiveFile> files = {
      {"bin", "", 0755, Type::kDirectory},
      {"etc", "", 0755, Type::kDirectory},
      {"tmp", "", 01777, Type::kDirectory},
      {"bin/busybox", ReadFile("/bin/busybox").value(), 0755},
      {"etc/passwd", "root:x:0:0:root:/:/bin/sh\nweb:x:1000:1000:web:/:/bin/sh\n", 0644},
      {"etc/group", "root:x:0:\nweb:x:1000:\n", 0644}};
  for (const char* applet :
       {"sh",   "cat",  "echo",     "sleep", "httpd", "wget", "ls",    "id",
        "env",  "kill", "hostname", "nc",    "ps",    "true", "false", "seq",
        "head", "date", "test",     "tar",   "touch", "ln",   "mkdir", "nslookup"}) {
    files.push_back({absl::StrCat("bin/", applet), "busybox", 0777, Type::kSymlink});
  }
  return files;
}

std::vector<ArchiveFile> ProgramFiles(const std::string& program, const std::string& name) {
  std::vector<ArchiveFile> files = {{"bin", "", 0755, ArchiveFile::Type::kDirectory},
                                    {"tmp", "", 01777, ArchiveFile::Type::kDirectory},
                                    {"bin/" + name, ReadFile(program).value(), 0755}};
  const Outcome linked = RunProgram({"/usr/bin/ldd", program});
  // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x...)", "/lib64/ld-linux-x86-64.so.2 (0x...)"
  for (const absl::string_view line : absl::StrSplit(linked.out, '\n')) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    for (const std::string& word : words) {
      if (word[0] == '/') files.push_back({word.substr(1), ReadFile(word).value(), 0755});
    }
  }
  return files;
}

}  // namespace cluster::e2e
