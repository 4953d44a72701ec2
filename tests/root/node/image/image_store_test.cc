// Images as builders make them, loaded into a real directory.
#include "node/image/image_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "gmock/gmock.h"

#include "tests/root/node/image/archives.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

bool Nothing(const std::string&) { return false; }

class ImageStoreTest : public testing::Test {
 protected:
  ImageStoreTest() {
    char path[] = "/tmp/cluster-image-XXXXXX";
    directory_ = mkdtemp(path);
    Open();
  }
  ~ImageStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Open(ImageLimits limits = {}) {
    store_.reset();
    auto opened = ImageStore::Open(directory_ + "/store", limits);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  // The archive as a tar file.
  std::string FileOf(const Members& members, Packing packing = Packing::kPlain) {
    const std::string path = absl::StrCat(directory_, "/archive", ++files_, ".tar");
    EXPECT_TRUE(WriteFileDurably(path, TarOf(members, packing)).ok());
    return path;
  }
  ImageRecord LoadOne(const std::string& path, const std::string& fallback = "") {
    auto records = store_->Load(path, fallback);
    EXPECT_TRUE(records.ok()) << records.status();
    if (!records.ok() || records->size() != 1) {
      ADD_FAILURE() << "not exactly one image";
      return {};
    }
    return records->front();
  }
  ImageRecord LoadLayers(std::vector<Layer> layers, const std::string& name = "web:1.0") {
    ImageDraft draft;
    draft.layers = std::move(layers);
    draft.name = name;
    return LoadOne(FileOf(OciLayout(draft)));
  }
  std::vector<std::string> Listed(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static struct stat Stat(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info;
  }
  static bool IsWhiteout(const std::string& path) {
    const struct stat info = Stat(path);
    return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
  }
  static std::string Xattr(const std::string& path, const std::string& name) {
    char value[256];
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value, sizeof value);
    return size < 0 ? "none" : std::string(value, static_cast<size_t>(size));
  }

  std::string directory_;
  std::unique_ptr<ImageStore> store_;
  int files_ = 0;
};

ImageDraft TwoLayers() {
  ImageDraft draft;
  draft.layers.push_back(
      {Tar().Dir("bin").File("bin/web", "#!web").Dir("etc").Bytes(), Packing::kGzip});
  draft.layers.push_back({Tar().Dir("etc").File("etc/conf", "x=1").Bytes(), Packing::kZstd});
  return draft;
}

void ExpectTwoLayers(const ImageRecord& record) {
  ASSERT_THAT(record.layers, SizeIs(2));
  EXPECT_EQ(ReadFile(record.layers[0] + "/bin/web").value(), "#!web");
  EXPECT_EQ(ReadFile(record.layers[1] + "/etc/conf").value(), "x=1");
  EXPECT_THAT(record.config.entrypoint, ElementsAre("/bin/web"));
  EXPECT_THAT(record.config.cmd, ElementsAre("-v"));
  EXPECT_THAT(record.config.env, ElementsAre("A=1", "B=2"));
  EXPECT_EQ(record.config.working_dir, "/srv");
  EXPECT_EQ(record.config.user, "33:33");
  EXPECT_EQ(record.config.stop_signal, "SIGQUIT");
  EXPECT_EQ(record.config.labels.at("team"), "x");
  EXPECT_EQ(record.created_unix_seconds, 1714979289);
  EXPECT_GT(record.size_bytes, 0);
}

TEST_F(ImageStoreTest, LoadsAnOciLayoutHoweverItIsPacked) {
  for (const Packing packing : {Packing::kPlain, Packing::kGzip, Packing::kZstd}) {
    const ImageRecord record = LoadOne(FileOf(OciLayout(TwoLayers()), packing));
    ExpectTwoLayers(record);
    EXPECT_THAT(record.names, ElementsAre("web:1.0"));
  }
  EXPECT_THAT(store_->List(), SizeIs(1));
}

TEST_F(ImageStoreTest, LoadsAnOciLayoutFromADirectory) {
  WriteMembers(OciLayout(TwoLayers()), directory_ + "/layout");
  ExpectTwoLayers(LoadOne(directory_ + "/layout"));
}

TEST_F(ImageStoreTest, LoadsADockerArchive) {
  const ImageRecord record = LoadOne(FileOf(DockerArchive(TwoLayers())));
  ExpectTwoLayers(record);
  EXPECT_EQ(record.digest, Sha256Of(ConfigOf(TwoLayers())));
}

TEST_F(ImageStoreTest, LoadsADockerArchiveWhoseLayersAreLinksToEachOther) {
  ImageDraft draft;
  const std::string layer = Tar().File("a", "1").Bytes();
  draft.layers = {{layer}, {layer}};
  Members members = DockerArchive(draft);
  Tar tar;
  for (const auto& [path, content] : members) {
    if (path == "layer1/layer.tar") {
      tar.Symlink(path, "../layer0/layer.tar");
    } else {
      tar.File(path, content);
    }
  }
  ASSERT_TRUE(WriteFileDurably(directory_ + "/linked.tar", tar.Bytes()).ok());
  EXPECT_THAT(LoadOne(directory_ + "/linked.tar").layers, SizeIs(2));
}

TEST_F(ImageStoreTest, LoadsALegacyDockerArchive) {
  const std::string top(64, 'b');
  const std::string base(64, 'a');
  Members members;
  members["repositories"] = absl::StrCat(R"({"web":{"old":")", top, R"("}})");
  members[top + "/json"] = absl::StrCat(R"({"id":")", top, R"(","parent":")", base,
                                        R"(","config":{"Cmd":["/bin/web"]},"os":"linux"})");
  members[top + "/layer.tar"] = Tar().File("top", "2").Bytes();
  members[base + "/json"] = absl::StrCat(R"({"id":")", base, R"("})");
  members[base + "/layer.tar"] = Tar().File("base", "1").Bytes();
  const ImageRecord record = LoadOne(FileOf(members));
  ASSERT_THAT(record.layers, SizeIs(2));
  EXPECT_EQ(ReadFile(record.layers[0] + "/base").value(), "1");
  EXPECT_EQ(ReadFile(record.layers[1] + "/top").value(), "2");
  EXPECT_THAT(record.names, ElementsAre("web:old"));
  EXPECT_THAT(record.config.cmd, ElementsAre("/bin/web"));
}

TEST_F(ImageStoreTest, TakesThisMachinesImageOutOfAMultiPlatformIndex) {
  Members members;
  ImageDraft mine = TwoLayers();
  ImageDraft other = TwoLayers();
  other.architecture = "mips64";
  other.layers.pop_back();
  const std::string mine_manifest = AddManifest(mine, &members);
  const std::string other_manifest = AddManifest(other, &members);
  const auto platform = [](absl::string_view os, absl::string_view architecture) {
    return absl::StrCat(R"(,"platform":{"os":")", os, R"(","architecture":")", architecture,
                        R"("})");
  };
  const std::string index = PutBlob(
      absl::StrCat(
          R"({"schemaVersion":2,"manifests":[)",
          Descriptor("manifest.v1+json", other_manifest, platform("linux", "mips64")), ",",
          Descriptor("manifest.v1+json", other_manifest, platform("unknown", "unknown")), ",",
          Descriptor("manifest.v1+json", mine_manifest, platform("linux", NodeArchitecture())),
          "]}"),
      &members);
  members["index.json"] =
      absl::StrCat(R"({"schemaVersion":2,"manifests":[)",
                   Descriptor("index.v1+json", index, NameAnnotation("web:multi")), "]}");
  const ImageRecord record = LoadOne(FileOf(members));
  EXPECT_EQ(record.digest, Sha256Of(mine_manifest));
  EXPECT_THAT(record.names, ElementsAre("web:multi"));
  ExpectTwoLayers(record);
}

TEST_F(ImageStoreTest, ABareTagNamesTheFallbacksRepository) {
  ImageDraft draft = TwoLayers();
  draft.name = "v7";
  EXPECT_THAT(LoadOne(FileOf(OciLayout(draft)), "team/web:x").names, ElementsAre("team/web:v7"));
}

TEST_F(ImageStoreTest, AnImageWithoutANameTakesTheFallback) {
  ImageDraft draft = TwoLayers();
  draft.name = "";
  EXPECT_THAT(LoadOne(FileOf(OciLayout(draft)), "team/web").names, ElementsAre("team/web:latest"));
}

TEST_F(ImageStoreTest, FindsByAnySpellingAndByDigest) {
  const ImageRecord record = LoadOne(FileOf(OciLayout(TwoLayers())));
  EXPECT_EQ(store_->Find("web:1.0")->digest, record.digest);
  EXPECT_EQ(store_->Find("docker.io/library/web:1.0")->digest, record.digest);
  EXPECT_EQ(store_->Find(record.digest)->digest, record.digest);
  EXPECT_EQ(store_->Find("anything@" + record.digest)->digest, record.digest);
  const absl::Status absent = store_->Find("web:2.0").status();
  EXPECT_TRUE(absl::IsNotFound(absent));
  EXPECT_THAT(std::string(absent.message()), HasSubstr("web:1.0"));
}

TEST_F(ImageStoreTest, KeepsOwnersModesTimesAndAttributes) {
  Tar::Entry entry;
  entry.mode = 06755;
  entry.uid = 1234;
  entry.gid = 100000;
  entry.mtime = 1'234'567'890;
  // VFS_CAP_REVISION_2 with cap_net_bind_service, effective.
  const std::string capability("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  entry.xattrs = {{"user.color", "blue"},
                  {"security.capability", capability},
                  {"trusted.overlay.redirect", "/etc"},
                  {"trusted.overlay.opaque", "y"},
                  {"security.selinux", "x"}};
  Tar tar;
  tar.Dir("d", 01777)
      .File("d/tool", "x", entry)
      .Symlink("abs", "/d/tool")
      .Special("pipe", AE_IFIFO);
  const ImageRecord record = LoadLayers({{tar.Bytes()}});
  const std::string tool = record.layers[0] + "/d/tool";
  const struct stat info = Stat(tool);
  EXPECT_EQ(info.st_mode & 07777, 06755u);
  EXPECT_EQ(info.st_uid, 1234u);
  EXPECT_EQ(info.st_gid, 100000u);
  EXPECT_EQ(info.st_mtime, 1'234'567'890);
  EXPECT_EQ(Xattr(tool, "user.color"), "blue");
  EXPECT_EQ(Xattr(tool, "security.capability"), capability);
  EXPECT_EQ(Xattr(tool, "trusted.overlay.redirect"), "none");
  EXPECT_EQ(Xattr(tool, "trusted.overlay.opaque"), "none");
  EXPECT_EQ(Xattr(tool, "security.selinux"), "none");
  const struct stat directory = Stat(record.layers[0] + "/d");
  EXPECT_EQ(directory.st_mode & 07777, 01777u);
  EXPECT_EQ(directory.st_mtime, 1'600'000'000);
  EXPECT_EQ(std::filesystem::read_symlink(record.layers[0] + "/abs"), "/d/tool");
  EXPECT_TRUE(S_ISFIFO(Stat(record.layers[0] + "/pipe").st_mode));
}

TEST_F(ImageStoreTest, KeepsHardLinksAndDirectoriesThatNoEntryNames) {
  Tar tar;
  tar.File("deep/down/file", "x").HardLink("link", "deep/down/file").HardLink("./l2", "./link");
  const ImageRecord record = LoadLayers({{tar.Bytes()}});
  const std::string top = record.layers[0];
  EXPECT_EQ(Stat(top + "/link").st_ino, Stat(top + "/deep/down/file").st_ino);
  EXPECT_EQ(Stat(top + "/l2").st_nlink, 3u);
  EXPECT_EQ(Stat(top + "/deep").st_mode & 07777, 0755u);
}

TEST_F(ImageStoreTest, KeepsNamesThatAreNotAscii) {
  const std::string name = "caf\xc3\xa9-\xe6\xbc\xa2\xe5\xad\x97";
  const ImageRecord record = LoadLayers({{Tar().File(name, "x").Symlink("s", name).Bytes()}});
  EXPECT_EQ(ReadFile(record.layers[0] + "/" + name).value(), "x");
  EXPECT_EQ(ReadFile(record.layers[0] + "/s").value(), "x");
}

TEST_F(ImageStoreTest, ALaterEntryReplacesAnEarlierOne) {
  Tar tar;
  tar.File("a", "1").File("a", "2").Symlink("b", "a").File("b", "3").Dir("c").File("c", "4");
  tar.File("d", "5").Dir("d").File("d/e", "6").Dir("d", 0700);
  const ImageRecord record = LoadLayers({{tar.Bytes()}});
  const std::string top = record.layers[0];
  EXPECT_EQ(ReadFile(top + "/a").value(), "2");
  EXPECT_EQ(ReadFile(top + "/b").value(), "3");
  EXPECT_EQ(ReadFile(top + "/c").value(), "4");
  EXPECT_EQ(ReadFile(top + "/d/e").value(), "6");
  EXPECT_EQ(Stat(top + "/d").st_mode & 07777, 0700u);
}

TEST_F(ImageStoreTest, FilesBelowALinkInsideTheLayerGoWhereItLeads) {
  Tar tar;
  tar.Dir("usr").Dir("usr/lib").Symlink("lib", "usr/lib").File("lib/x", "1");
  const ImageRecord record = LoadLayers({{tar.Bytes()}});
  EXPECT_EQ(ReadFile(record.layers[0] + "/usr/lib/x").value(), "1");
  EXPECT_TRUE(S_ISLNK(Stat(record.layers[0] + "/lib").st_mode));
}

TEST_F(ImageStoreTest, WhiteoutsBecomeOverlayfsOwn) {
  Tar tar;
  tar.Dir("etc").File("etc/.wh.conf", "").Dir("var").File("var/.wh..wh..opq", "");
  tar.File("implied/.wh..wh..opq", "").File(".wh..wh.plnk", "");
  const ImageRecord record = LoadLayers({{tar.Bytes()}});
  const std::string top = record.layers[0];
  EXPECT_TRUE(IsWhiteout(top + "/etc/conf"));
  EXPECT_EQ(Xattr(top + "/var", "trusted.overlay.opaque"), "y");
  EXPECT_EQ(Xattr(top + "/implied", "trusted.overlay.opaque"), "y");
  EXPECT_THAT(Listed(top + "/var"), IsEmpty());
  EXPECT_THAT(Listed(top), ElementsAre("etc", "implied", "var"));
}

// A whiteout is about the layers below: what the same layer adds under the name stays, in either
// order.
TEST_F(ImageStoreTest, WhatIsHiddenAndAddedAgainInOneLayerIsThere) {
  Tar tar;
  tar.File(".wh.file1", "").File("file1", "new");
  tar.File("file2", "new").File(".wh.file2", "");
  tar.File(".wh.dir1", "").Dir("dir1").File("dir1/x", "1");
  tar.Dir("dir2").File("dir2/x", "1").File(".wh.dir2", "");
  tar.File(".wh.dir3", "").File("dir3/x", "1");
  const ImageRecord record = LoadLayers({{tar.Bytes()}});
  const std::string top = record.layers[0];
  EXPECT_EQ(ReadFile(top + "/file1").value(), "new");
  EXPECT_EQ(ReadFile(top + "/file2").value(), "new");
  for (const char* directory : {"/dir1", "/dir2", "/dir3"}) {
    EXPECT_EQ(ReadFile(top + directory + "/x").value(), "1");
    EXPECT_EQ(Xattr(top + directory, "trusted.overlay.opaque"), "y") << directory;
  }
}

TEST_F(ImageStoreTest, SparseFilesKeepTheirSize) {
  const ImageRecord record = LoadLayers({{Tar().Sparse("hole", 3 << 20).Bytes()}});
  const struct stat info = Stat(record.layers[0] + "/hole");
  EXPECT_EQ(info.st_size, 3 << 20);
}

TEST_F(ImageStoreTest, EqualLayersAreKeptOnce) {
  const Layer base{Tar().File("base", "1").Bytes()};
  LoadLayers({base, {Tar().File("a", "1").Bytes()}}, "a:1");
  LoadLayers({base, {Tar().File("b", "1").Bytes()}}, "b:1");
  EXPECT_THAT(Listed(directory_ + "/store/layers"), SizeIs(3));
  EXPECT_THAT(store_->List(), SizeIs(2));
}

TEST_F(ImageStoreTest, ANameMovesToTheImageThatWasLoadedLast) {
  const std::string old = LoadLayers({{Tar().File("v", "1").Bytes()}}).digest;
  const std::string fresh = LoadLayers({{Tar().File("v", "2").Bytes()}}).digest;
  EXPECT_EQ(store_->Find("web:1.0")->digest, fresh);
  EXPECT_THAT(store_->Find(old)->names, IsEmpty());
  Open();
  EXPECT_EQ(store_->Find("web:1.0")->digest, fresh);
}

TEST_F(ImageStoreTest, RemoveTakesLayersThatNobodyNeeds) {
  const Layer base{Tar().File("base", "1").Bytes()};
  LoadLayers({base, {Tar().File("a", "1").Bytes()}}, "a:1");
  const ImageRecord b = LoadLayers({base, {Tar().File("b", "1").Bytes()}}, "b:1");
  ASSERT_TRUE(store_->Remove("a:1", Nothing).ok());
  EXPECT_THAT(Listed(directory_ + "/store/layers"), SizeIs(2));
  EXPECT_TRUE(absl::IsNotFound(store_->Find("a:1").status()));
  EXPECT_EQ(ReadFile(b.layers[0] + "/base").value(), "1");
  EXPECT_TRUE(absl::IsNotFound(store_->Remove("a:1", Nothing)));
  ASSERT_TRUE(store_->Remove("b:1", Nothing).ok());
  EXPECT_THAT(Listed(directory_ + "/store/layers"), IsEmpty());
  EXPECT_THAT(Listed(directory_ + "/store/images"), IsEmpty());
}

TEST_F(ImageStoreTest, LayersInUseStayUntilTheyAreNot) {
  const ImageRecord record = LoadLayers({{Tar().File("a", "1").Bytes()}});
  const auto in_use = [&record](const std::string& layer) { return layer == record.layers[0]; };
  ASSERT_TRUE(store_->Remove("web:1.0", in_use).ok());
  EXPECT_EQ(ReadFile(record.layers[0] + "/a").value(), "1");
  LoadLayers({{Tar().File("b", "1").Bytes()}}, "other:1");
  ASSERT_TRUE(store_->Remove("other:1", Nothing).ok());
  EXPECT_THAT(Listed(directory_ + "/store/layers"), IsEmpty());
}

TEST_F(ImageStoreTest, EverythingIsThereAfterOpeningAgain) {
  const ImageRecord before = LoadOne(FileOf(OciLayout(TwoLayers())));
  Open();
  const ImageRecord after = *store_->Find("web:1.0");
  EXPECT_EQ(after.digest, before.digest);
  EXPECT_EQ(after.layers, before.layers);
  EXPECT_EQ(after.size_bytes, before.size_bytes);
  ExpectTwoLayers(after);
}

TEST_F(ImageStoreTest, OpenSweepsWhatACrashLeft) {
  LoadOne(FileOf(OciLayout(TwoLayers())));
  ASSERT_TRUE(MakeDirectories(directory_ + "/store/tmp/7/etc").ok());
  ASSERT_TRUE(WriteFileDurably(directory_ + "/store/tmp/7/etc/x", "half").ok());
  Open();
  EXPECT_THAT(Listed(directory_ + "/store/tmp"), IsEmpty());
  EXPECT_TRUE(store_->Find("web:1.0").ok());
}

TEST_F(ImageStoreTest, AnImageWhoseLayerIsGoneIsNotThereAndCanBeLoadedAgain) {
  const std::string archive = FileOf(OciLayout(TwoLayers()));
  const ImageRecord record = LoadOne(archive);
  std::filesystem::remove_all(record.layers[1]);
  Open();
  EXPECT_TRUE(absl::IsNotFound(store_->Find("web:1.0").status()));
  ExpectTwoLayers(LoadOne(archive));
}

TEST_F(ImageStoreTest, ConcurrentLoadsAndLookupsAgree) {
  std::vector<std::string> archives;
  for (int i = 0; i < 6; ++i) {
    ImageDraft draft;
    draft.name = absl::StrCat("web:", i);
    draft.layers = {{Tar().File("shared", "1").Bytes()},
                    {Tar().File("own", absl::StrCat(i)).Bytes()}};
    archives.push_back(FileOf(OciLayout(draft)));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([this, &archives, i] {
      EXPECT_TRUE(store_->Load(archives[static_cast<size_t>(i)], "").ok());
      const auto found = store_->Find(absl::StrCat("web:", i));
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ(ReadFile(found->layers[1] + "/own").value(), absl::StrCat(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(store_->List(), SizeIs(6));
  EXPECT_THAT(Listed(directory_ + "/store/layers"), SizeIs(7));
}

}  // namespace
}  // namespace cluster::node
