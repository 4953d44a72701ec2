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

// Writes the archive; the image runs as root in "/", with PATH=/bin.
void WriteDockerArchive(const std::string& path, const std::string& name,
                        const std::vector<ArchiveFile>& files);

// busybox with its applets as links, /etc/passwd and /tmp.
std::vector<ArchiveFile> BusyboxFiles();

}  // namespace cluster::e2e
