#include "tests/root/node/runtime/rootfs_fixture.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace cluster::node {

namespace fs = std::filesystem;

TemporaryDirectory::TemporaryDirectory() {
  const char* base = getenv("TMPDIR");
  path_ = std::string(base == nullptr ? "/tmp" : base) + "/cluster-root-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) abort();
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void WriteTestFile(const std::string& path, const std::string& content, unsigned mode) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  ASSERT_EQ(chmod(path.c_str(), mode), 0) << path;
}

void MakeBusyboxLayer(const std::string& directory) {
  fs::create_directories(directory + "/bin");
  fs::create_directories(directory + "/tmp");
  ASSERT_TRUE(fs::exists("/bin/busybox")) << "install the package busybox-static";
  fs::copy_file("/bin/busybox", directory + "/bin/busybox", fs::copy_options::overwrite_existing);
  for (const char* name :
       {"sh",   "cat",  "ls",    "echo",   "sleep", "id",     "hostname", "env",
        "pwd",  "ip",   "true",  "false",  "kill",  "mount",  "stat",     "readlink",
        "dd",   "head", "grep",  "chroot", "mkdir", "touch",  "ps",       "seq",
        "tail", "tr",   "yes",   "trap",   "wc",    "find",   "nc",       "ping",
        "stty", "rm",   "mknod", "printf", "sort",  "md5sum", "test",     "["}) {
    fs::create_symlink("busybox", directory + "/bin/" + name);
  }
  WriteTestFile(directory + "/etc/passwd",
                "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n");
  WriteTestFile(directory + "/etc/group",
                "root:x:0:\napp:x:1000:\nwheel:x:10:root,app\naudio:x:29:app\n");
}

}  // namespace cluster::node
