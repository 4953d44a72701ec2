// Root file systems for tests: a directory with a static busybox and the few files that software
// expects. Each is a layer of its own below a temporary directory that goes with the fixture.
#pragma once

#include <string>
#include <vector>

namespace cluster::node {

// mkdtemp below $TMPDIR or /tmp; removed with all that is in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// bin/busybox with a link for each of its commands that tests use, etc/passwd (root, app
// 1000:1000), etc/group (app is in wheel 10 and audio 29), tmp.
void MakeBusyboxLayer(const std::string& directory);

void WriteTestFile(const std::string& path, const std::string& content, unsigned mode = 0644);

}  // namespace cluster::node
