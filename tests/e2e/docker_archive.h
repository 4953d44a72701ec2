// A `docker save` archive with one layer, made in memory: what e2e tests load as an image.
#pragma once

#include <string>
#include <vector>

namespace cluster::e2e {

struct ArchiveFile {
  std::string path;     // "bin/busybox"
  std::string content;  // of a file; the target of a link
  unsigned mode = 0755;
  enum class Type { kFile, kDirectory, kSymlink } type = Type::kFile;
};

// Writes the archive; the image runs `command` as root in "/", with PATH=/bin.
void WriteDockerArchive(const std::string& path, const std::string& name,
                        const std::vector<ArchiveFile>& files,
                        const std::vector<std::string>& command = {"sh"});

// busybox with its applets as links, /etc/passwd and /tmp.
std::vector<ArchiveFile> BusyboxFiles();

// A program of this machine as bin/NAME, with the libraries that it is linked to.
std::vector<ArchiveFile> ProgramFiles(const std::string& program, const std::string& name);

}  // namespace cluster::e2e
