// What containers find in their volumes, with everything real.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "node/volume/mount_tree.h"
#include "node/volume/project_quota.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

VolumeSpec Volume(const std::string& name, VolumeKind kind, const std::string& source = "") {
  VolumeSpec volume;
  volume.name = name;
  volume.kind = kind;
  volume.source = source;
  return volume;
}

VolumeBind Mount(const std::string& volume, const std::string& target,
                 const std::string& sub_path = "") {
  VolumeBind bind;
  bind.volume = volume;
  bind.target = target;
  bind.sub_path = sub_path;
  return bind;
}

class VolumeTest : public ::testing::Test {
 protected:
  ContainerSpec Spec(const std::string& uid, const std::string& script,
                     std::vector<VolumeSpec> volumes, std::vector<VolumeBind> binds) {
    ContainerSpec spec = world_.Spec(uid, {"sh", "-c", script});
    spec.pod_volumes = std::move(volumes);
    spec.volumes = std::move(binds);
    return spec;
  }
  // What the script prints, run to its end.
  std::string Run(const ContainerSpec& spec) {
    const auto outcome = world_.RunSpec(spec);
    EXPECT_EQ(outcome.state.message, "");
    return outcome.log;
  }
  std::string HostDirectory(const std::string& name) {
    const std::string path = world_.base() + "/" + name;
    fs::create_directories(path);
    return path;
  }

  RuntimeWorld world_;
};

TEST_F(VolumeTest, Behaviour65SharesAnEmptyDirectoryBetweenContainersOfThePod) {
  for (const VolumeKind kind : {VolumeKind::kDisk, VolumeKind::kMemory}) {
    const std::string uid = absl::StrCat("pod-", static_cast<int>(kind));
    ContainerSpec spec = Spec(uid, "stat -c '%a %u:%g' /data; echo kept > /data/note",
                              {Volume("data", kind)}, {Mount("data", "/data")});
    EXPECT_EQ(Run(spec), "777 0:0\n");
    spec.attempt = 1;
    spec.argv = {"cat", "/data/note"};
    EXPECT_EQ(Run(spec), "kept\n") << "a restarted container";
    spec.attempt = 0;
    spec.name = "other";
    EXPECT_EQ(Run(spec), "kept\n") << "another container";
  }
}

TEST_F(VolumeTest, Behaviour65MountsATmpfsOfTheSizeThatWasAskedFor) {
  VolumeSpec volume = Volume("cache", VolumeKind::kMemory);
  volume.size_limit = 1 << 20;
  const std::string log = Run(Spec("pod-a",
                                   "grep ' /cache ' /proc/mounts; "
                                   "dd if=/dev/zero of=/cache/x bs=64k count=64 2>&1; "
                                   "stat -c %s /cache/x",
                                   {volume}, {Mount("cache", "/cache")}));
  EXPECT_THAT(log, HasSubstr("/cache tmpfs rw,nosuid,nodev"));
  EXPECT_THAT(log, HasSubstr("size=1024k"));
  EXPECT_THAT(log, HasSubstr("No space left on device"));
  EXPECT_THAT(log, HasSubstr("\n1048576\n"));
}

TEST_F(VolumeTest, KeepsWhatIsOnTheDiskToItsLimits) {
  const std::string probe = HostDirectory("probe");
  const UniqueFd directory(open(probe.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto limits = LimitSpace({directory.get()}, 1 << 20);
  ASSERT_TRUE(limits.ok()) << limits.status();
  if (!*limits) GTEST_SKIP() << "the file system keeps no project quotas";
  VolumeSpec empty = Volume("empty", VolumeKind::kDisk);
  empty.size_limit = 2 << 20;
  VolumeSpec claim = Volume("claim", VolumeKind::kClaim, "claim-1");
  claim.size_limit = 3 << 20;
  ContainerSpec spec =
      Spec("pod-a",
           "mkdir -p /root/d; echo x > /root/y; busybox mv /root/y /root/d && echo moved; for at "
           "in /empty /claim /root; do dd if=/dev/zero of=$at/x bs=64k "
           "count=128 2>&1 | "
           "grep -o 'quota exceeded'; [ $(stat -c %s $at/x) -gt 1000000 ] && echo $at; done",
           {empty, claim}, {Mount("empty", "/empty"), Mount("claim", "/claim")});
  spec.disk_limit = 4 << 20;
  EXPECT_EQ(Run(spec),
            "moved\nquota exceeded\n/empty\nquota exceeded\n/claim\nquota exceeded\n/root\n");
}

TEST_F(VolumeTest, KeepsVolumesOverTheDeathOfTheAgent) {
  ContainerSpec spec =
      Spec("pod-a", "echo disk > /disk/note; echo memory > /memory/note",
           {Volume("disk", VolumeKind::kDisk), Volume("memory", VolumeKind::kMemory)},
           {Mount("disk", "/disk"), Mount("memory", "/memory")});
  Run(spec);
  world_.StartAgent();
  spec.attempt = 1;
  spec.argv = {"cat", "/disk/note", "/memory/note"};
  EXPECT_EQ(Run(spec), "disk\nmemory\n");
}

TEST_F(VolumeTest, MapsClaimsAndOwnsTheRest) {
  WriteTestFile(HostDirectory("host") + "/note", "x", 0644);
  Run(Spec("pod-a", "chown 1000 /claim; touch /claim/f /disk/f; chown 5 /disk/f; stat -c %u /host",
           {Volume("claim", VolumeKind::kClaim, "claim-1"), Volume("disk", VolumeKind::kDisk),
            Volume("host", VolumeKind::kHostPath, world_.base() + "/host")},
           {Mount("claim", "/claim"), Mount("disk", "/disk"), Mount("host", "/host")}));
  EXPECT_EQ(world_.Log("pod-a"), "65534\n") << "what the node owns is nobody's";
  const std::string first = fs::read_symlink(world_.base() + "/state/pods/pod-a/ids");
  struct stat info {};
  const std::string claim = world_.base() + "/state/claims/claim-1";
  ASSERT_EQ(stat(claim.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000u) << "on the disk as inside";
  ASSERT_EQ(stat((claim + "/f").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
  ASSERT_EQ(stat((world_.base() + "/state/pods/pod-a/volumes/disk/f").c_str(), &info), 0);
  EXPECT_EQ(absl::StrCat(info.st_uid), absl::StrCat(std::stoul(first) + 5));
}

// Whether tmpfs of volumes need not be attached on the node (from 6.15 on).
bool CopiesDetached() {
  const auto made = MakeTmpfs(TmpfsOptions());
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() && CanCopyDetached(made->get());
}

TEST_F(VolumeTest, AttachesWhereTheKernelCannotCopyWhatIsDetached) {
  const AdjustOptions attach = [](KernelRuntimeOptions* options) {
    options->attach_volumes = true;
  };
  world_.StartAgent(attach);
  const Census before = world_.TakeCensus();
  VolumeSpec files = Volume("files", VolumeKind::kFiles);
  files.files = {{"a", "old", 0644}};
  ContainerSpec spec = Spec("pod-a", "cat /files/a; echo x > /memory/note",
                            {Volume("memory", VolumeKind::kMemory), files},
                            {Mount("memory", "/memory"), Mount("files", "/files")});
  EXPECT_EQ(Run(spec), "old");
  EXPECT_EQ(world_.TakeCensus().mounts.size(), before.mounts.size() + 2);
  world_.StartAgent(attach);
  spec.pod_volumes[1].files = {{"a", "new", 0644}};
  spec.attempt = 1;
  spec.argv = {"cat", "/files/a", "/memory/note"};
  EXPECT_EQ(Run(spec), "newx\n");
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  world_.AwaitQuiet();
  EXPECT_EQ(Describe(world_.TakeCensus()), Describe(before));
}

TEST_F(VolumeTest, LeavesNothingOfTheVolumesBehind) {
  const Census before = world_.TakeCensus();
  VolumeSpec files = Volume("files", VolumeKind::kFiles);
  files.files = {{"a", "content", 0644}};
  ContainerSpec spec =
      Spec("pod-a", "echo x > /disk/x; echo x > /memory/x",
           {Volume("disk", VolumeKind::kDisk), Volume("memory", VolumeKind::kMemory), files},
           {Mount("disk", "/disk"), Mount("memory", "/memory"), Mount("files", "/files")});
  Run(spec);
  if (CopiesDetached()) {
    EXPECT_EQ(world_.TakeCensus().mounts, before.mounts) << "nothing is mounted on the node";
  }
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  world_.AwaitQuiet();
  EXPECT_EQ(Describe(world_.TakeCensus()), Describe(before));
}

TEST_F(VolumeTest, Behaviour66ShowsFilesWithTheirModes) {
  VolumeSpec volume = Volume("config", VolumeKind::kFiles);
  volume.files = {{"app.conf", "answer=42\n", 0644},
                  {"bin/run.sh", "#!/bin/sh\necho ran\n", 0755},
                  {"blob", std::string("\0\xff\n", 3), 0400}};
  ContainerSpec spec = Spec("pod-a",
                            "cat /etc/app/app.conf; /etc/app/bin/run.sh; "
                            "stat -L -c '%n %a' /etc/app/app.conf /etc/app/blob; "
                            "od -An -tx1 /etc/app/blob; (echo no > /etc/app/new) 2>&1",
                            {volume}, {Mount("config", "/etc/app")});
  const std::string log = Run(spec);
  EXPECT_THAT(log, HasSubstr("answer=42\nran\n/etc/app/app.conf 644\n/etc/app/blob 400\n"));
  EXPECT_THAT(log, HasSubstr(" 00 ff 0a\n"));
  EXPECT_THAT(log, HasSubstr("Read-only file system"));
  spec.attempt = 1;
  spec.user = "app";
  spec.argv = {"cat", "/etc/app/app.conf"};
  EXPECT_EQ(Run(spec), "answer=42\n") << "readable by those who are not root";
}

TEST_F(VolumeTest, Behaviour67SwitchesFilesWithoutARestart) {
  VolumeSpec volume = Volume("config", VolumeKind::kFiles);
  volume.files = {{"a", "old", 0644}, {"b", "old", 0644}, {"gone", "old", 0644}};
  // Both files are read through one directory, so a mix can only come from a switch that is none.
  ContainerSpec spec =
      Spec("pod-a",
           "echo ready; cd /config; "
           "while [ \"$(cat a)\" != new ]; do d=$(readlink ..data); "
           "  a=$(cat $d/a 2>/dev/null); b=$(cat $d/b 2>/dev/null); "
           "  [ \"$a\" = \"$b\" ] || [ -z \"$a\" ] || [ -z \"$b\" ] || echo MIXED; "
           "done; cat b; ls; cat /pinned",
           {volume}, {Mount("config", "/config"), Mount("config", "/pinned", "a")});
  world_.Prepare("pod-a");
  world_.Start(spec);
  world_.AwaitLog("pod-a", "ready");
  volume.files = {{"a", "new", 0644}, {"b", "new", 0644}, {"more", "new", 0644}};
  ASSERT_TRUE(world_.runtime().UpdateVolumes("pod-a", {volume}).ok());
  EXPECT_EQ(world_.Await("pod-a").exit_code, 0);
  EXPECT_EQ(world_.Log("pod-a"), "ready\nnewa\nb\nmore\nold")
      << "the file that was mounted by a sub path stays as it was";
}

TEST_F(VolumeTest, KeepsSecretsOffTheDisk) {
  VolumeSpec volume = Volume("secret", VolumeKind::kFiles);
  volume.files = {{"password", "hunter2-hunter2", 0400}};
  const std::string log = Run(Spec("pod-a", "stat -f -c %T /secret; cat /secret/password", {volume},
                                   {Mount("secret", "/secret")}));
  EXPECT_EQ(log, "tmpfs\nhunter2-hunter2");
  for (const auto& entry : fs::recursive_directory_iterator(world_.base())) {
    if (!entry.is_regular_file() || absl::EndsWith(entry.path().string(), ".log")) continue;
    struct statfs place {};
    ASSERT_EQ(statfs(entry.path().c_str(), &place), 0);
    if (place.f_type == TMPFS_MAGIC) continue;  // attached there, on kernels before 6.15
    EXPECT_THAT(ReadFile(entry.path().string(), size_t{64} << 20).value_or(""),
                Not(HasSubstr("hunter2-hunter2")))
        << entry.path();
  }
}

TEST_F(VolumeTest, MountsSubPathsAndMakesThem) {
  const std::string log = Run(
      Spec("pod-a",
           "echo one > /logs/a; echo two > /deep/b; ls /all /all/x/y; "
           "stat -c %a /all/logs",
           {Volume("data", VolumeKind::kDisk)},
           {Mount("data", "/all"), Mount("data", "/logs", "logs"), Mount("data", "/deep", "x/y")}));
  EXPECT_EQ(log, "/all:\nlogs\nx\n\n/all/x/y:\nb\n777\n");
}

TEST_F(VolumeTest, OrdersMountsByDepthWhateverTheirOrder) {
  VolumeSpec files = Volume("files", VolumeKind::kFiles);
  files.files = {{"inner", "inside", 0644}};
  const std::string log =
      Run(Spec("pod-a", "cat /a/b/c/inner; ls /a /a/b", {Volume("data", VolumeKind::kDisk), files},
               {Mount("files", "/a/b/c"), Mount("data", "/a")}));
  EXPECT_EQ(log, "inside/a:\nb\n\n/a/b:\nc\n");
}

TEST_F(VolumeTest, Behaviour20LeavesAFileOverEtcHostsToThePod) {
  VolumeSpec files = Volume("files", VolumeKind::kFiles);
  files.files = {{"hosts", "10.9.9.9 mine\n", 0644}};
  EXPECT_EQ(Run(Spec("pod-a", "cat /etc/hosts; cat /etc/hostname", {files},
                     {Mount("files", "/etc/hosts", "hosts")})),
            "10.9.9.9 mine\nhost-of-pod-a\n");
}

TEST_F(VolumeTest, MakesNothingInAVolumeThatIsMountedOverEtc) {
  const std::string host = HostDirectory("host-etc");
  WriteTestFile(host + "/hosts", "10.9.9.9 host\n");
  EXPECT_THAT(Run(Spec("pod-a", "cat /etc/hosts; ls /etc",
                       {Volume("host", VolumeKind::kHostPath, host)}, {Mount("host", "/etc")})),
              ::testing::EndsWith("\nhosts\n"));
  EXPECT_FALSE(fs::exists(host + "/resolv.conf"));
}

TEST_F(VolumeTest, KeepsReadOnlyMountsReadOnly) {
  const std::string host = HostDirectory("host");
  fs::create_directories(host + "/below");
  ASSERT_EQ(mount("tmpfs", (host + "/below").c_str(), "tmpfs", 0, nullptr), 0);
  VolumeBind top = Mount("host", "/top");
  top.read_only = true;
  VolumeBind all = Mount("host", "/all");
  all.read_only = true;
  all.recursive_read_only = true;
  const std::string log =
      Run(Spec("pod-a",
               "for d in /top /top/below /all /all/below; do "
               "touch $d/x 2>/dev/null && echo $d writable || echo $d read-only; done",
               {Volume("host", VolumeKind::kHostPath, host)}, {top, all}));
  EXPECT_EQ(log, "/top read-only\n/top/below writable\n/all read-only\n/all/below read-only\n");
  ASSERT_EQ(umount((host + "/below").c_str()), 0);
}

TEST_F(VolumeTest, ChecksHostPathsByType) {
  const std::string host = HostDirectory("host");
  WriteTestFile(host + "/file", "text\n");
  const auto start = [&](const std::string& path, HostPathCheck check) {
    static int pods = 0;
    VolumeSpec volume = Volume("host", VolumeKind::kHostPath, host + path);
    volume.check = check;
    const std::string uid = absl::StrCat("pod-", ++pods);
    world_.Prepare(uid);
    return world_.runtime()
        .StartContainer(Spec(uid, "true", {volume}, {Mount("host", "/host")}))
        .status();
  };
  EXPECT_TRUE(start("/file", HostPathCheck::kFile).ok());
  EXPECT_TRUE(start("", HostPathCheck::kDirectory).ok());
  EXPECT_TRUE(start("/new/deep", HostPathCheck::kDirectoryOrCreate).ok());
  EXPECT_TRUE(fs::is_directory(host + "/new/deep"));
  EXPECT_TRUE(start("/new-file", HostPathCheck::kFileOrCreate).ok());
  EXPECT_TRUE(fs::is_regular_file(host + "/new-file"));
  const absl::Status not_directory = start("/file", HostPathCheck::kDirectory);
  EXPECT_EQ(not_directory.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(not_directory.message()),
              HasSubstr(absl::StrCat("volume \"host\": hostPath \"", host,
                                     "/file\" is not a directory on the node")));
  EXPECT_THAT(std::string(start("/absent", HostPathCheck::kSocket).message()),
              HasSubstr("does not exist on the node, and must be a socket"));
  EXPECT_THAT(std::string(start("/file", HostPathCheck::kBlockDevice).message()),
              HasSubstr("is not a block device"));
}

TEST_F(VolumeTest, GivesNoSetuidAndNoDevicesToVolumes) {
  const std::string host = HostDirectory("host");
  fs::copy_file(world_.layer() + "/bin/busybox", host + "/id");
  ASSERT_EQ(chmod((host + "/id").c_str(), 04755), 0);
  ASSERT_EQ(mknod((host + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  ContainerSpec spec =
      Spec("pod-a", "/host/id -u; cat /host/null 2>&1",
           {Volume("host", VolumeKind::kHostPath, host)}, {Mount("host", "/host")});
  spec.user = "app";
  EXPECT_EQ(Run(spec), "1000\ncat: can't open '/host/null': Permission denied\n");
}

TEST_F(VolumeTest, PropagatesMountsWhereAskedAndSaysWhereItCannot) {
  const std::string host = HostDirectory("host");
  VolumeBind slave = Mount("host", "/host");
  slave.propagation = MountPropagation::kHostToContainer;
  ContainerSpec spec = Spec("pod-a",
                            "echo ready; until [ -e /host/later/note ]; do sleep 0.01; done; "
                            "cat /host/later/note",
                            {Volume("host", VolumeKind::kHostPath, host)}, {slave});
  world_.Prepare("pod-a");
  const absl::Status refused = world_.runtime().StartContainer(spec).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("needs a shared mount on the node"));

  ASSERT_EQ(mount("tmpfs", host.c_str(), "tmpfs", 0, nullptr), 0);
  ASSERT_EQ(mount(nullptr, host.c_str(), nullptr, MS_SHARED, nullptr), 0);
  fs::create_directories(host + "/later");
  world_.Start(spec);
  world_.AwaitLog("pod-a", "ready");
  const std::string other = HostDirectory("other");
  WriteTestFile(other + "/note", "came later\n");
  ASSERT_EQ(mount(other.c_str(), (host + "/later").c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_EQ(world_.Await("pod-a").exit_code, 0);
  EXPECT_THAT(world_.Log("pod-a"), HasSubstr("came later"));
  ASSERT_EQ(umount((host + "/later").c_str()), 0);
  ASSERT_EQ(umount2(host.c_str(), MNT_DETACH), 0);
}

TEST_F(VolumeTest, TakesMountsOffBeforeItRemovesAVolume) {
  const std::string outside = HostDirectory("outside of it");
  WriteTestFile(outside + "/canary", "of the host\n");
  Run(Spec("pod-a", "mkdir '/data/sub dir' /claim/sub",
           {Volume("data", VolumeKind::kDisk), Volume("claim", VolumeKind::kClaim, "claim-1")},
           {Mount("data", "/data"), Mount("claim", "/claim")}));
  // As a container whose mounts travel to the node would have left it.
  for (const char* point :
       {"/state/pods/pod-a/volumes/data/sub dir", "/state/claims/claim-1/sub"}) {
    ASSERT_EQ(mount(outside.c_str(), (world_.base() + point).c_str(), nullptr, MS_BIND, nullptr),
              0);
  }
  EXPECT_TRUE(world_.runtime().Remove("pod-a").ok());
  EXPECT_TRUE(world_.runtime().RemoveClaim("claim-1").ok());
  EXPECT_EQ(*ReadFile(outside + "/canary"), "of the host\n");
  EXPECT_FALSE(fs::exists(world_.base() + "/state/pods/pod-a"));
  EXPECT_FALSE(fs::exists(world_.base() + "/state/claims/claim-1"));
}

TEST_F(VolumeTest, OutlivesItsPodsAsAClaim) {
  ContainerSpec spec =
      Spec("pod-a", "echo kept > /data/note", {Volume("data", VolumeKind::kClaim, "claim-1")},
           {Mount("data", "/data")});
  Run(spec);
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  EXPECT_THAT(*world_.runtime().ListClaims(), ::testing::ElementsAre("claim-1"));
  spec.pod_uid = "pod-b";
  spec.argv = {"cat", "/data/note"};
  EXPECT_EQ(Run(spec), "kept\n");
  ASSERT_TRUE(world_.runtime().Remove("pod-b").ok());
  ASSERT_TRUE(world_.runtime().RemoveClaim("claim-1").ok());
  EXPECT_THAT(*world_.runtime().ListClaims(), ::testing::IsEmpty());
}

TEST_F(VolumeTest, Behaviour70GivesAClaimToTheGroup) {
  VolumeSpec volume = Volume("data", VolumeKind::kClaim, "claim-1");
  Run(Spec("pod-a", "mkdir /data/d; echo x > /data/d/f; chmod 600 /data/d/f; ln -s /etc /data/l",
           {volume}, {Mount("data", "/data")}));
  volume.group = 2000;
  EXPECT_EQ(Run(Spec("pod-b", "cd /data; stat -c '%n %a %g' . d d/f; touch new; stat -c %g new",
                     {volume}, {Mount("data", "/data")})),
            ". 2777 2000\nd 2775 2000\nd/f 660 2000\n2000\n");
  volume.kind = VolumeKind::kMemory;
  EXPECT_EQ(Run(Spec("pod-c", "stat -c '%a %g' /data", {volume}, {Mount("data", "/data")})),
            "2777 2000\n");
}

TEST_F(VolumeTest, Row3RefusesVolumesThatWouldHideTheSystem) {
  for (const char* target : {"/proc", "/proc/self", "/sys", "/dev", "/dev/pts"}) {
    const std::string uid = absl::StrCat("pod", absl::StrReplaceAll(target, {{"/", "-"}}));
    world_.Prepare(uid);
    EXPECT_EQ(world_.runtime()
                  .StartContainer(
                      Spec(uid, "true", {Volume("v", VolumeKind::kDisk)}, {Mount("v", target)}))
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument)
        << target;
  }
  // The same by a link of the image's.
  for (const char* system : {"/proc", "/sys/kernel", "/dev"}) {
    const std::string uid = absl::StrCat("link", absl::StrReplaceAll(system, {{"/", "-"}}));
    const std::string layer = world_.base() + "/" + uid;
    MakeBusyboxLayer(layer);
    fs::create_symlink(system, layer + "/data");
    ContainerSpec spec =
        Spec(uid, "echo started", {Volume("v", VolumeKind::kDisk)}, {Mount("v", "/data")});
    spec.rootfs.layers = {layer};
    const auto outcome = world_.RunSpec(spec);
    EXPECT_THAT(outcome.state.message, HasSubstr("a volume would hide /proc, /sys or /dev"));
    EXPECT_EQ(outcome.log, "");
  }
}

// Exchanges a directory for a link to the host's root, again and again, from inside of a volume.
class Exchanger {
 public:
  explicit Exchanger(const std::string& volume, const std::string& link_target)
      : a_(volume + "/x"), b_(volume + "/.y") {
    fs::create_directories(a_);
    fs::create_symlink(link_target, b_);
    thread_ = std::thread([this] {
      while (!stop_) renameat2(AT_FDCWD, a_.c_str(), AT_FDCWD, b_.c_str(), RENAME_EXCHANGE);
    });
  }
  ~Exchanger() {
    stop_ = true;
    thread_.join();
  }

 private:
  const std::string a_;
  const std::string b_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST_F(VolumeTest, Row4NeverMountsWhatARacingLinkLeadsTo) {
  const std::string host = HostDirectory("outside");
  WriteTestFile(host + "/canary", "of the host\n");
  VolumeSpec volume = Volume("data", VolumeKind::kDisk);
  ContainerSpec spec = Spec("pod-a", "cat /sub/canary /data/x/canary 2>/dev/null; echo done",
                            {volume, Volume("other", VolumeKind::kMemory)},
                            {Mount("data", "/data"), Mount("data", "/sub", "x")});
  world_.Prepare("pod-a");
  spec.name = "first";
  world_.Start(spec);
  world_.Await("pod-a", "first");
  const std::string top = world_.base() + "/state/pods/pod-a/volumes/data";
  std::string outside = "../../../../../../../..";
  absl::StrAppend(&outside, host);
  for (const std::string& target : {host, outside}) {
    fs::remove_all(top + "/x");
    fs::remove_all(top + "/.y");
    Exchanger exchanger(top, target);
    // A target below the volume that races, too.
    spec.volumes = {Mount("data", "/data"), Mount("data", "/sub", "x"),
                    Mount("other", "/data/x/m")};
    spec.name = target == host ? "absolute" : "relative";
    for (spec.attempt = 0; spec.attempt < 100; ++spec.attempt) {
      const auto state = world_.runtime().StartContainer(spec);
      // It starts in the directory, or not at all.
      if (state.ok()) world_.Await("pod-a", spec.name);
      EXPECT_THAT(world_.Log("pod-a", spec.name, spec.attempt), Not(HasSubstr("of the host")));
    }
  }
  // Row 7: nothing was made on the host either.
  EXPECT_THAT(std::distance(fs::directory_iterator(host), {}), 1);
}

TEST_F(VolumeTest, Row4ShowsTheCanaryToAPathThatIsLookedUpByName) {
  // The control: what the descriptors are for.
  const std::string host = HostDirectory("outside");
  WriteTestFile(host + "/canary", "of the host\n");
  const std::string volume = HostDirectory("volume");
  Exchanger exchanger(volume, host);
  bool seen = false;
  for (int i = 0; i < 100'000 && !seen; ++i)
    seen = access((volume + "/x/canary").c_str(), F_OK) == 0;
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace cluster::node
