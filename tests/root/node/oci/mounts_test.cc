#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "tests/root/node/oci/oci_world.h"

namespace cluster::oci {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OciMounts : public OciWorld {
 protected:
  OciMounts() {
    fs::create_directories(data());
    node::WriteTestFile(data() + "/file", "content\n");
  }
  std::string data() const { return base() + "/data"; }
  std::string OutputOf(const std::string& script) {
    SetCommand(script);
    const Outcome outcome = Run();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  std::string ErrorOf() {
    SetCommand("true");
    const Outcome outcome = Create();
    EXPECT_EQ(outcome.code, 1);
    return outcome.err;
  }
};

TEST_F(OciMounts, BindsDirectoriesAndFiles) {
  AddMount("/new/place", "bind", data(), {"bind"});
  AddMount("/new/file", "bind", data() + "/file", {"bind", "ro"});
  EXPECT_EQ(OutputOf("cat /new/place/file /new/file; echo more >> /new/place/file; "
                     "echo x 2>/dev/null > /new/file || echo refused"),
            "content\ncontent\nrefused\n");
  EXPECT_EQ(ReadFile(data() + "/file").value(), "content\nmore\n");
}

TEST_F(OciMounts, RelativeSourcesAreOfTheBundle) {
  fs::create_directories(bundle() + "/beside");
  node::WriteTestFile(bundle() + "/beside/a", "a\n");
  AddMount("/b", "bind", "beside", {"rbind"});
  EXPECT_EQ(OutputOf("cat /b/a"), "a\n");
}

TEST_F(OciMounts, OptionsAreThoseOfTheMount) {
  AddMount("/t", "tmpfs", "tmpfs",
           {"nosuid", "nodev", "noexec", "noatime", "size=64k", "mode=711"});
  EXPECT_THAT(OutputOf("grep ' /t ' /proc/mounts; stat -c %a /t"),
              AllOf(HasSubstr("rw,nosuid,nodev,noexec,noatime"), HasSubstr("size=64k"),
                    HasSubstr("\n711\n")));
}

TEST_F(OciMounts, ReadOnlyCanReachTheMountsBelow) {
  fs::create_directories(data() + "/inner");
  ASSERT_EQ(mount("t", (data() + "/inner").c_str(), "tmpfs", 0, nullptr), 0);
  AddMount("/one", "bind", data(), {"rbind", "ro"});
  AddMount("/all", "bind", data(), {"rbind", "rro"});
  EXPECT_EQ(OutputOf("touch /one/x 2>/dev/null || echo top; touch /one/inner/x && echo below; "
                     "touch /all/inner/y 2>/dev/null || echo all"),
            "top\nbelow\nall\n");
  umount2((data() + "/inner").c_str(), MNT_DETACH);
}

TEST_F(OciMounts, AReadOnlyTmpfsCanHoldMountPoints) {
  AddMount("/t", "tmpfs", "tmpfs", {"ro"});
  AddMount("/t/below", "bind", data(), {"bind"});
  EXPECT_EQ(OutputOf("cat /t/below/file; touch /t/x 2>/dev/null || echo read-only"),
            "content\nread-only\n");
}

TEST_F(OciMounts, ATmpfsCanBeginWithTheImagesContent) {
  fs::create_directories(rootfs() + "/seed/deep");
  node::WriteTestFile(rootfs() + "/seed/deep/f", "seed\n", 0640);
  fs::create_symlink("deep/f", rootfs() + "/seed/link");
  ASSERT_EQ(chown((rootfs() + "/seed/deep/f").c_str(), 5, 6), 0);
  // Its owner: root without CAP_DAC_OVERRIDE has no way past the mode.
  config["process"]["user"] = {{"uid", 5}, {"gid", 6}};
  AddMount("/seed", "tmpfs", "tmpfs", {"tmpcopyup"});
  EXPECT_EQ(OutputOf("cat /seed/link; stat -c '%a %u %g' /seed/deep/f; echo x > /seed/deep/f"),
            "seed\n640 5 6\n");
  EXPECT_EQ(ReadFile(rootfs() + "/seed/deep/f").value(), "seed\n");
}

TEST_F(OciMounts, LinksInTheImageStayInTheImage) {
  fs::create_symlink("/../../../../../../tmp", rootfs() + "/up");
  AddMount("/up/there", "bind", data(), {"bind"});
  EXPECT_EQ(OutputOf("cat /tmp/there/file"), "content\n");
  EXPECT_FALSE(fs::exists("/tmp/there"));
}

TEST_F(OciMounts, PropagationGoesOneWayUnlessAskedFor) {
  ASSERT_EQ(mount("shared", data().c_str(), "tmpfs", 0, nullptr), 0);
  ASSERT_EQ(mount(nullptr, data().c_str(), nullptr, MS_SHARED, nullptr), 0);
  AddMount("/slave", "bind", data(), {"rbind", "rslave"});
  AddMount("/private", "bind", data(), {"rbind", "rprivate"});
  SetCommand("mkdir /tmp/ready; sleep 1000");
  Start();
  fs::create_directories(data() + "/late");
  ASSERT_EQ(mount("late", (data() + "/late").c_str(), "tmpfs", 0, nullptr), 0);
  EXPECT_THAT(Exec("cat /proc/mounts").out,
              AllOf(HasSubstr(" /slave/late "), Not(HasSubstr(" /private/late "))));
  EXPECT_EQ(Exec("grep -c shared: /proc/self/mountinfo").out, "0\n");
  Call({"delete", "--force", "c"});
  EXPECT_EQ(umount2((data() + "/late").c_str(), 0), 0);
  config["linux"]["rootfsPropagation"] = "rshared";
  config["mounts"].back()["options"] = {"rbind", "rshared"};
  config["process"]["capabilities"]["bounding"].push_back("CAP_SYS_ADMIN");
  config["process"]["capabilities"]["effective"].push_back("CAP_SYS_ADMIN");
  config["process"]["capabilities"]["permitted"].push_back("CAP_SYS_ADMIN");
  SetCommand("mount -t tmpfs from-inside /private/late && cat /fifo");
  ASSERT_EQ(mkfifo((rootfs() + "/fifo").c_str(), 0600), 0);
  Start();
  node::WriteTestFile(rootfs() + "/fifo", "end\n");
  AwaitStatus("stopped");
  EXPECT_THAT(ReadFile("/proc/self/mounts").value(), HasSubstr("from-inside " + data() + "/late"));
  umount2((data() + "/late").c_str(), MNT_DETACH);
  umount2(data().c_str(), MNT_DETACH);
}

TEST_F(OciMounts, NothingOfTheHostIsLeftInside) {
  std::set<std::string> asked = {"/"};
  for (const Json& mount : config["mounts"]) asked.insert(mount["destination"]);
  for (const char* protection : {"maskedPaths", "readonlyPaths"}) {
    for (const Json& path : config["linux"][protection]) asked.insert(path);
  }
  const std::string mounts = OutputOf("cat /proc/self/mountinfo");
  for (const absl::string_view line : absl::StrSplit(mounts, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    const std::string& root = fields.at(3);
    const std::string& place = fields.at(4);
    EXPECT_TRUE(asked.count(place) == 1 || absl::StartsWith(place, "/sys/fs/cgroup/")) << line;
    // Where in its file system: of the machine's own only the image.
    EXPECT_EQ(absl::StrContains(root, base()), place == "/") << line;
  }
  EXPECT_EQ(OutputOf("ls / | sort | tr '\\n' ' '"), "bin dev etc proc sys tmp ");
}

TEST_F(OciMounts, IdsCanBeMapped) {
  ASSERT_EQ(chown((data() + "/file").c_str(), 3, 4), 0);
  config["mounts"].push_back(
      {{"destination", "/mapped"},
       {"type", "bind"},
       {"source", data()},
       {"options", {"bind", "idmap"}},
       {"uidMappings", {{{"containerID", 0}, {"hostID", 50}, {"size", 10}}}},
       {"gidMappings", {{{"containerID", 0}, {"hostID", 70}, {"size", 10}}}}});
  EXPECT_EQ(OutputOf("stat -c '%u %g' /mapped/file"), "53 74\n");
}

TEST_F(OciMounts, TheRootCanBeReadOnly) {
  config["root"]["readonly"] = true;
  EXPECT_EQ(OutputOf("touch /x 2>/dev/null || echo read-only; echo y > /dev/shm/y && echo shm"),
            "read-only\nshm\n");
}

TEST_F(OciMounts, MaskedAndReadOnlyPathsAreThat) {
  fs::create_directories(rootfs() + "/secret");
  node::WriteTestFile(rootfs() + "/secret/key", "key\n");
  node::WriteTestFile(rootfs() + "/hidden", "hidden\n");
  fs::create_directories(rootfs() + "/fixed");
  config["linux"]["maskedPaths"] = {"/secret", "/hidden", "/not/there", "/proc/kcore"};
  config["linux"]["readonlyPaths"] = {"/fixed", "/not/there"};
  EXPECT_EQ(OutputOf("ls /secret; cat /hidden; touch /fixed/x 2>/dev/null || echo fixed; "
                     "touch /secret/x 2>/dev/null || echo masked; echo end"),
            "fixed\nmasked\nend\n");
}

TEST_F(OciMounts, CgroupsShowTheContainersOwnAlone) {
  const std::string top = IsPureV2() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
  const std::string look = absl::StrCat("cat ", top, "/cgroup.procs | head -1; ls -d ", top,
                                        "/cluster* 2>/dev/null; cat /proc/self/cgroup");
  EXPECT_THAT(OutputOf(look), AllOf(StartsWith("1\n"), Not(HasSubstr("cluster"))));
  auto& namespaces = config["linux"]["namespaces"];
  for (size_t i = 0; i < namespaces.size(); ++i) {
    if (namespaces[i]["type"] == "cgroup") namespaces.erase(i--);
  }
  EXPECT_EQ(OutputOf(absl::StrCat("cat ", top,
                                  "/cgroup.procs | head -1; touch /sys/fs/cgroup/x "
                                  "2>/dev/null || echo ro")),
            "1\nro\n");
}

// Where there are any. The mount below is how podman prepares a container that runs systemd.
TEST_F(OciMounts, NamedCgroupsAreTheContainersOwnToo) {
  if (!fs::exists("/sys/fs/cgroup/systemd"))
    GTEST_SKIP() << "no hierarchy named systemd is mounted";
  EXPECT_THAT(OutputOf("cat /proc/self/cgroup; cat /sys/fs/cgroup/systemd/cgroup.procs | head -1"),
              AllOf(HasSubstr("name=systemd:/\n"), EndsWith("\n1\n")));
  AddMount("/sys/fs/cgroup/systemd", "bind", "/sys/fs/cgroup/systemd", {"bind", "rprivate"});
  EXPECT_EQ(OutputOf(absl::StrCat("ls -d /sys/fs/cgroup/systemd", group())),
            absl::StrCat("/sys/fs/cgroup/systemd", group(), "\n"));
}

TEST_F(OciMounts, DevicesAreMadeAndCanBeUsed) {
  config["linux"]["devices"] = {{{"path", "/dev/own"},
                                 {"type", "c"},
                                 {"major", 1},
                                 {"minor", 5},
                                 {"fileMode", 0640},
                                 {"uid", 3},
                                 {"gid", 4}},
                                {{"path", "/dev/pipe"}, {"type", "p"}}};
  // Its owner: root without CAP_DAC_OVERRIDE has no way past the mode.
  config["process"]["user"] = {{"uid", 3}, {"gid", 4}};
  EXPECT_EQ(OutputOf("stat -c '%a %u %g %t:%T' /dev/own; head -c 2 /dev/own | wc -c; test -p "
                     "/dev/pipe && echo pipe; head -c 3 /dev/urandom | wc -c; "
                     "readlink /dev/fd; readlink /dev/ptmx"),
            "640 3 4 1:5\n2\npipe\n3\n/proc/self/fd\npts/ptmx\n");
}

TEST_F(OciMounts, AMissingSourceOrTypeIsToldByName) {
  AddMount("/x", "bind", "/no/such", {"bind"});
  EXPECT_THAT(ErrorOf(), HasSubstr("mounts of /x: open source /no/such: ENOENT"));
  config["mounts"].back() = {{"destination", "/x"}, {"type", "nofs"}, {"source", "x"}};
  EXPECT_THAT(ErrorOf(), HasSubstr("mounts of /x: make a file system of type nofs: ENODEV"));
  config["mounts"].back() = {{"destination", "/x"}, {"type", "tmpfs"}, {"options", {"sizes=1"}}};
  EXPECT_THAT(ErrorOf(), HasSubstr("mounts of /x: tmpfs"));
}

// Where nothing is pivoted the machine's mounts are still there; a whole procfs among them would
// let the container have another one, with nothing masked.
TEST_F(OciMounts, AChrootAloneGivesNoBareProc) {
  config["process"]["args"] = {"/bin/busybox", "unshare", "-mrpf", "/bin/busybox", "mount",
                               "-t",           "proc",    "none",  "/tmp"};
  for (const char* set : {"bounding", "permitted", "effective"}) {
    config["process"]["capabilities"][set] = {"CAP_SETFCAP", "CAP_SYS_ADMIN"};
  }
  config["linux"]["maskedPaths"] = {"/proc/kcore"};
  WriteConfig();
  const Outcome outcome = Call({"run", "--no-pivot", "--bundle", bundle(), "c"});
  EXPECT_NE(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("ermission denied"));
}

}  // namespace
}  // namespace cluster::oci
