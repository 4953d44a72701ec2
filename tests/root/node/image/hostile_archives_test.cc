// Archives that want more than an image may: each is refused with a sentence, nothing outside the
// store is touched, and the store is as it was.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <set>

#include "absl/strings/match.h"
#include "gmock/gmock.h"

#include "node/image/image_store.h"
#include "tests/root/node/image/archives.h"
#include "tests/root/node/image/trusting_unpacker.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

// Everything below a directory, as text: types, owners, modes, sizes, times of change, targets.
std::vector<std::string> Inventory(const std::string& top) {
  std::vector<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(top)) {
    struct stat info {};
    EXPECT_EQ(::lstat(entry.path().c_str(), &info), 0);
    std::string content;
    if (S_ISREG(info.st_mode)) content = ReadFile(entry.path(), 64 << 20).value();
    if (S_ISLNK(info.st_mode)) content = fs::read_symlink(entry.path());
    // That something was made and removed in tmp/ shows in its time alone.
    if (entry.path() == fs::path(top) / "store/tmp") info.st_mtim.tv_nsec = 0;
    all.push_back(absl::StrCat(entry.path().string(), " ", info.st_mode, " ", info.st_uid, " ",
                               info.st_gid, " ", info.st_nlink, " ", info.st_mtim.tv_nsec, " ",
                               content));
  }
  std::sort(all.begin(), all.end());
  return all;
}

struct Hostile {
  const char* name;
  // The members of the archive, and what the refusal must say.
  std::function<Members(const std::string& canary)> make;
  const char* says;
};

Members LayerOnly(const std::string& tar) {
  ImageDraft draft;
  draft.layers = {{Tar().File("good", "1").Bytes()}, {tar}};
  return OciLayout(draft);
}

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

Members Good() { return LayerOnly(Tar().File("x", "1").Bytes()); }

// Swaps the content of the only blob for which `is` holds, keeping its name.
Members WithBlob(Members members, const std::function<bool(const std::string&)>& is,
                 const std::function<std::string(const std::string&)>& change) {
  for (auto& [path, content] : members) {
    if (absl::StartsWith(path, "blobs/") && is(content)) content = change(content);
  }
  return members;
}

bool IsConfig(const std::string& content) { return absl::StrContains(content, "rootfs"); }
bool IsManifest(const std::string& content) { return absl::StrContains(content, "schemaVersion"); }
bool IsLayer(const std::string& content) { return !IsConfig(content) && !IsManifest(content); }

std::string Truncated(const std::string& content) { return content.substr(0, content.size() / 2); }

Members WithDraft(const std::function<void(ImageDraft*)>& change) {
  ImageDraft draft;
  draft.layers = {{Tar().File("x", "1").Bytes()}};
  change(&draft);
  return OciLayout(draft);
}

std::string DeepPath() {
  std::string path;
  for (int i = 0; i < 300; ++i) absl::StrAppend(&path, "d/");
  return path + "file";
}

const Hostile kHostile[] = {
    {"AbsolutePath",
     [](const std::string& canary) {
       return LayerOnly(Tar().File(canary + "/victim", "owned").Bytes());
     },
     "is absolute"},
    {"UpwardPath",
     [](const std::string&) { return LayerOnly(Tar().File("../../../victim", "owned").Bytes()); },
     "leads upwards"},
    {"UpwardInTheMiddle",
     [](const std::string&) { return LayerOnly(Tar().File("a/../../victim", "owned").Bytes()); },
     "leads upwards"},
    {"UpwardDirectory", [](const std::string&) { return LayerOnly(Tar().Dir("..", 0777).Bytes()); },
     "leads upwards"},
    {"FileBelowAnAbsoluteLink",
     [](const std::string& canary) {
       return LayerOnly(Tar().Symlink("out", canary).File("out/victim", "owned").Bytes());
     },
     "leads out of the image"},
    {"FileBelowAnUpwardLink",
     [](const std::string& canary) {
       return LayerOnly(Tar()
                            .Symlink("out", "../../../../../../../.." + canary)
                            .File("out/victim", "owned")
                            .Bytes());
     },
     "leads out of the image"},
    {"FileBelowAChainOfLinks",
     [](const std::string& canary) {
       return LayerOnly(Tar()
                            .Symlink("a", "b")
                            .Symlink("b", "c")
                            .Symlink("c", canary)
                            .File("a/victim", "owned")
                            .Bytes());
     },
     "leads out of the image"},
    {"DirectoryBelowALink",
     [](const std::string& canary) {
       return LayerOnly(Tar().Symlink("out", canary).Dir("out/new", 0777).Bytes());
     },
     "leads out of the image"},
    {"LinkBelowALink",
     [](const std::string& canary) {
       return LayerOnly(Tar().Symlink("out", canary).Symlink("out/new", "x").Bytes());
     },
     "leads out of the image"},
    {"FifoBelowALink",
     [](const std::string& canary) {
       return LayerOnly(Tar().Symlink("out", canary).Special("out/new", AE_IFIFO).Bytes());
     },
     "leads out of the image"},
    {"WhiteoutBelowALink",
     [](const std::string& canary) {
       return LayerOnly(Tar().Symlink("out", canary).File("out/.wh.victim", "").Bytes());
     },
     "leads out of the image"},
    {"OpaqueBelowALink",
     [](const std::string& canary) {
       return LayerOnly(Tar().Symlink("out", canary).File("out/.wh..wh..opq", "").Bytes());
     },
     "leads out of the image"},
    {"LinkLoop",
     [](const std::string&) {
       return LayerOnly(Tar().Symlink("a", "b").Symlink("b", "a").File("a/x", "1").Bytes());
     },
     "leads out of the image"},
    {"FileBelowADanglingLink",
     [](const std::string&) {
       return LayerOnly(Tar().Symlink("a", "nowhere").File("a/x", "1").Bytes());
     },
     "is no directory"},
    {"MagicLink",
     [](const std::string&) {
       return LayerOnly(Tar().Symlink("a", "/proc/self/root").File("a/tmp/x", "1").Bytes());
     },
     "leads out of the image"},
    {"HardLinkToAnAbsolutePath",
     [](const std::string& canary) {
       return LayerOnly(Tar().HardLink("stolen", canary + "/victim").Bytes());
     },
     "is absolute"},
    {"HardLinkUpwards",
     [](const std::string& canary) {
       return LayerOnly(Tar().HardLink("stolen", "../../../../../.." + canary).Bytes());
     },
     "leads upwards"},
    {"HardLinkThroughALink",
     [](const std::string& canary) {
       return LayerOnly(Tar().Symlink("out", canary).HardLink("stolen", "out/victim").Bytes());
     },
     "leads out of the image"},
    {"HardLinkToNothing",
     [](const std::string&) { return LayerOnly(Tar().HardLink("a", "absent").Bytes()); },
     "not in this layer"},
    {"HardLinkToALowerLayer",
     [](const std::string&) { return LayerOnly(Tar().HardLink("a", "good").Bytes()); },
     "not in this layer"},
    {"HardLinkToADirectory",
     [](const std::string&) { return LayerOnly(Tar().Dir("d").HardLink("a", "d").Bytes()); },
     "which is no file"},
    {"HardLinkToAWhiteout",
     [](const std::string&) {
       return LayerOnly(Tar().File(".wh.x", "").HardLink("null", "x").Bytes());
     },
     "which is no file"},
    {"HardLinkToItself",
     [](const std::string&) { return LayerOnly(Tar().HardLink("a", "./a").Bytes()); },
     "its own target"},
    {"CharacterDevice",
     [](const std::string&) { return LayerOnly(Tar().Special("mem", AE_IFCHR).Bytes()); },
     "device node"},
    {"BlockDevice",
     [](const std::string&) { return LayerOnly(Tar().Special("disk", AE_IFBLK).Bytes()); },
     "device node"},
    {"FileForADirectoryWithContent",
     [](const std::string&) {
       return LayerOnly(Tar().Dir("d").File("d/x", "1").File("d", "2").Bytes());
     },
     "directory with content"},
    {"FileBelowAFile",
     [](const std::string&) { return LayerOnly(Tar().File("a", "1").File("a/b", "2").Bytes()); },
     "is no directory"},
    {"FileForTheTop", [](const std::string&) { return LayerOnly(Tar().File("./", "1").Bytes()); },
     ""},
    {"WhiteoutOfNothing",
     [](const std::string&) { return LayerOnly(Tar().File("d/.wh.", "").Bytes()); },
     "hides nothing"},
    {"WhiteoutUpwards",
     [](const std::string&) { return LayerOnly(Tar().File("d/.wh...", "").Bytes()); },
     "hides nothing"},
    {"FileBelowAWhiteout",
     [](const std::string&) { return LayerOnly(Tar().File(".wh.a/b", "x").Bytes()); },
     "below a whiteout"},
    {"TooDeep", [](const std::string&) { return LayerOnly(Tar().File(DeepPath(), "x").Bytes()); },
     "levels deep"},
    {"NameTooLong",
     [](const std::string&) { return LayerOnly(Tar().File(std::string(300, 'n'), "x").Bytes()); },
     "too long"},
    {"PathTooLong",
     [](const std::string&) {
       std::string path;
       for (int i = 0; i < 50; ++i) absl::StrAppend(&path, std::string(100, 'p'), "/");
       return LayerOnly(Tar().File(path + "x", "x").Bytes());
     },
     "bytes"},
    {"ImpossibleOwner",
     [](const std::string&) {
       Tar::Entry entry;
       entry.uid = int64_t{1} << 40;
       return LayerOnly(Tar().File("a", "x", entry).Bytes());
     },
     "no system can hold"},
    {"MoreEntriesThanAllowed",
     [](const std::string&) {
       Tar tar;
       for (int i = 0; i < 1200; ++i) tar.File(absl::StrCat("f", i), "");
       return LayerOnly(tar.Bytes());
     },
     "bomb"},
    {"MoreDirectoriesThanAllowed",
     [](const std::string&) {
       Tar tar;
       for (int i = 0; i < 30; ++i) {
         std::string path = absl::StrCat("t", i);
         for (int depth = 0; depth < 100; ++depth) absl::StrAppend(&path, "/d");
         tar.File(path + "/f", "");
       }
       return LayerOnly(tar.Bytes());
     },
     "bomb"},
    {"CompressionBomb",
     [](const std::string&) {
       ImageDraft draft;
       draft.layers = {{Tar().File("zeros", std::string(24 << 20, '\0')).Bytes(), Packing::kZstd}};
       return OciLayout(draft);
     },
     "bomb"},
    {"LargerThanAllowed",
     [](const std::string&) {
       ImageDraft draft;
       // Random enough not to be a compression bomb first.
       std::string noise(40 << 20, '\0');
       unsigned random = 1;
       for (char& c : noise)
         c = static_cast<char>((random = random * 1664525u + 1013904223u) >> 24);
       draft.layers = {{Tar().File("big", noise).Bytes(), Packing::kGzip}};
       return OciLayout(draft);
     },
     "more than"},
    {"SparseGiant",
     [](const std::string&) { return LayerOnly(Tar().Sparse("hole", 64 << 20).Bytes()); },
     "larger than"},
    {"ConfigOfAnotherDigest",
     [](const std::string&) {
       return WithBlob(Good(), IsConfig,
                       [](const std::string& c) { return Replaced(c, "/bin/web", "/bin/bad"); });
     },
     "is in truth"},
    {"ManifestOfAnotherDigest",
     [](const std::string&) {
       return WithBlob(Good(), IsManifest, [](const std::string& c) { return c + " "; });
     },
     "is in truth"},
    {"LayerOfAnotherDigest",
     [](const std::string&) {
       return WithBlob(Good(), IsLayer, [](const std::string& c) {
         std::string other = c;
         other[other.size() - 1] = 'x';
         return other;
       });
     },
     "is in truth"},
    {"LayerOfAnotherDiffId",
     [](const std::string&) {
       return WithDraft(
           [](ImageDraft* draft) { draft->wrong_diff_id = "sha256:" + std::string(64, '7'); });
     },
     "instead of sha256:777"},
    {"LayerCutShort", [](const std::string&) { return WithBlob(Good(), IsLayer, Truncated); }, ""},
    {"LayerMissing",
     [](const std::string&) {
       Members members = Good();
       for (auto it = members.begin(); it != members.end();) {
         const bool layer = absl::StartsWith(it->first, "blobs/") && IsLayer(it->second);
         it = layer ? members.erase(it) : std::next(it);
       }
       return members;
     },
     "is missing"},
    {"LayerThatIsNoTar",
     [](const std::string&) {
       ImageDraft draft;
       draft.layers = {{"this is no tar at all, whatever its digest says"}};
       return OciLayout(draft);
     },
     "tar"},
    {"AnotherArchitecture",
     [](const std::string&) {
       return WithDraft([](ImageDraft* draft) { draft->architecture = "mips64"; });
     },
     "linux/mips64"},
    {"AnotherSystem",
     [](const std::string&) { return WithDraft([](ImageDraft* draft) { draft->os = "windows"; }); },
     "windows/"},
    {"NoLayers",
     [](const std::string&) {
       ImageDraft draft;
       return OciLayout(draft);
     },
     "no layer"},
    {"BadName",
     [](const std::string&) {
       return WithDraft([](ImageDraft* draft) { draft->name = "../../etc/passwd:1"; });
     },
     "no image name"},
    {"IndexThatIsNoJson",
     [](const std::string&) {
       Members members = Good();
       members["index.json"] = "{\"manifests\":[";
       return members;
     },
     "no JSON"},
    {"IndexOfTraversal",
     [](const std::string&) {
       Members members = Good();
       members["index.json"] =
           R"({"manifests":[{"digest":"sha256:../../../../etc/passwd","size":10}]})";
       return members;
     },
     "no sha256 digest"},
    {"IndexInsideItself",
     [](const std::string&) {
       Members members = Good();
       // A digest cannot contain itself, so the chain is as long as the maker wants instead.
       std::string index = R"({"manifests":[]})";
       for (int i = 0; i < 10; ++i) {
         PutBlob(index, &members);
         index = absl::StrCat(R"({"manifests":[)", Descriptor("index.v1+json", index), "]}");
       }
       members["index.json"] = index;
       return members;
     },
     "too deeply"},
    {"HugeIndex",
     [](const std::string&) {
       Members members = Good();
       members["index.json"] = std::string(5 << 20, ' ');
       return members;
     },
     "larger than"},
    {"NestedJson",
     [](const std::string&) {
       Members members = Good();
       members["index.json"] = std::string(1 << 20, '[');
       return members;
     },
     "no JSON"},
    {"NotAnImageAtAll",
     [](const std::string&) {
       return Members{{"readme.txt", "hello"}};
     },
     "neither an OCI layout"},
    {"DockerConfigOfAnotherDigest",
     [](const std::string&) {
       ImageDraft draft;
       draft.layers = {{Tar().File("x", "1").Bytes()}};
       Members members = DockerArchive(draft);
       for (auto& [path, content] : members) {
         if (IsConfig(content)) content = Replaced(content, "/bin/web", "/bin/bad");
       }
       return members;
     },
     "is in truth"},
    {"DockerLayerOutsideTheArchive",
     [](const std::string& canary) {
       ImageDraft draft;
       draft.layers = {{Tar().File("x", "1").Bytes()}};
       Members members = DockerArchive(draft);
       members["manifest.json"] = Replaced(members["manifest.json"], "layer0/layer.tar",
                                           "../../../../../.." + canary + "/victim");
       return members;
     },
     "is missing"},
    {"LegacyParentsInACircle",
     [](const std::string&) {
       const std::string a(64, 'a');
       const std::string b(64, 'b');
       return Members{{"repositories", absl::StrCat(R"({"web":{"x":")", a, R"("}})")},
                      {a + "/json", absl::StrCat(R"({"parent":")", b, R"("})")},
                      {b + "/json", absl::StrCat(R"({"parent":")", a, R"("})")}};
     },
     "have each other for parents"},
};

class HostileFile : public testing::Test {
 protected:
  HostileFile() {
    char path[] = "/tmp/cluster-hostile-XXXXXX";
    directory_ = mkdtemp(path);
    canary_ = directory_ + "/canary";
    EXPECT_TRUE(MakeDirectories(canary_ + "/sub").ok());
    EXPECT_TRUE(WriteFileDurably(canary_ + "/victim", "untouched").ok());
    EXPECT_TRUE(WriteFileDurably(canary_ + "/sub/victim", "untouched").ok());
    ImageLimits limits;
    limits.max_entries = 1000;
    limits.max_unpacked_bytes = 32 << 20;
    auto opened = ImageStore::Open(directory_ + "/store", limits);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    // Something to damage.
    ImageDraft draft;
    draft.name = "resident:1";
    draft.layers = {{Tar().File("resident", "1").Symlink("out", canary_).Bytes()}};
    Write(OciLayout(draft), "resident.tar");
    EXPECT_TRUE(store_->Load(directory_ + "/resident.tar", "").ok());
  }
  ~HostileFile() override {
    store_.reset();
    fs::remove_all(directory_);
  }
  void Write(const Members& members, const std::string& name) {
    EXPECT_TRUE(WriteFileDurably(directory_ + "/" + name, TarOf(members)).ok());
  }

  std::string directory_;
  std::string canary_;
  std::unique_ptr<ImageStore> store_;
};

class HostileArchive : public HostileFile, public testing::WithParamInterface<Hostile> {};

TEST_P(HostileArchive, Row23_IsRefusedAndChangesNothing) {
  Write(GetParam().make(canary_), "hostile.tar");
  const std::vector<std::string> before = Inventory(directory_);
  const absl::Status status = store_->Load(directory_ + "/hostile.tar", "").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const std::string sentence(status.message());
  EXPECT_THAT(sentence, testing::StartsWith("image archive hostile.tar: "));
  EXPECT_THAT(sentence, testing::HasSubstr(GetParam().says));
  EXPECT_EQ(Inventory(directory_), before) << sentence;
  EXPECT_EQ(store_->List().size(), 1u);
}

std::string NameOf(const testing::TestParamInfo<Hostile>& hostile) { return hostile.param.name; }

INSTANTIATE_TEST_SUITE_P(Corpus, HostileArchive, testing::ValuesIn(kHostile), NameOf);

// The control: the corpus does harm where it is trusted.
TEST_F(HostileFile, Row23_TheSameLayersReachOutsideOfAnUnpackerThatTrustsThem) {
  const std::set<std::string> reaching = {"AbsolutePath",
                                          "UpwardPath",
                                          "FileBelowAnAbsoluteLink",
                                          "FileBelowAnUpwardLink",
                                          "FileBelowAChainOfLinks",
                                          "DirectoryBelowALink",
                                          "LinkBelowALink",
                                          "FifoBelowALink",
                                          "WhiteoutBelowALink",
                                          "OpaqueBelowALink",
                                          "HardLinkToAnAbsolutePath",
                                          "HardLinkThroughALink"};
  size_t tried = 0;
  for (const Hostile& hostile : kHostile) {
    if (!reaching.contains(hostile.name)) continue;
    ++tried;
    const std::string top = absl::StrCat(directory_, "/", hostile.name, "/a/b/c");
    ASSERT_TRUE(MakeDirectories(top).ok());
    fs::remove_all(canary_ + "/new");  // of the one before
    const auto outside = [&] {
      std::vector<std::string> all = Inventory(directory_);
      std::erase_if(all, [&](const std::string& line) { return absl::StartsWith(line, top); });
      return all;
    };
    const std::vector<std::string> before = outside();
    for (const auto& [path, content] : hostile.make(canary_)) {
      if (absl::StartsWith(path, "blobs/") && IsLayer(content)) UnpackTrusting(content, top);
    }
    EXPECT_NE(outside(), before) << hostile.name;
  }
  EXPECT_EQ(tried, reaching.size());
}

TEST_F(HostileFile, Row23_ADeviceNodeComesOutOfAnUnpackerThatTrustsIt) {
  UnpackTrusting(Tar().Special("null", AE_IFCHR).Bytes(), directory_);
  struct stat info {};
  ASSERT_EQ(::lstat((directory_ + "/null").c_str(), &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
}

TEST_F(HostileFile, AMemberTwiceIsRefused) {
  ASSERT_TRUE(WriteFileDurably(directory_ + "/twice.tar",
                               Tar().File("index.json", "{}").File("./index.json", "{}").Bytes())
                  .ok());
  const absl::Status status = store_->Load(directory_ + "/twice.tar", "").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("twice"));
}

TEST_F(HostileFile, AMemberOutsideIsRefused) {
  ASSERT_TRUE(
      WriteFileDurably(directory_ + "/out.tar", Tar().File("../index.json", "{}").Bytes()).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Load(directory_ + "/out.tar", "").status()));
}

TEST_F(HostileFile, ACompressedArchiveThatIsABombIsRefused) {
  ASSERT_TRUE(WriteFileDurably(
                  directory_ + "/bomb.tar.gz",
                  Pack(Tar().File("zeros", std::string(30 << 20, '\0')).Bytes(), Packing::kGzip))
                  .ok());
  const absl::Status status = store_->Load(directory_ + "/bomb.tar.gz", "").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("bomb"));
}

TEST_F(HostileFile, AnEmptyOrTornFileIsRefused) {
  const std::string whole = TarOf(Good());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{511}, size_t{700}, whole.size() / 3}) {
    ASSERT_TRUE(WriteFileDurably(directory_ + "/torn.tar", whole.substr(0, size)).ok());
    const std::vector<std::string> before = Inventory(directory_);
    EXPECT_TRUE(absl::IsInvalidArgument(store_->Load(directory_ + "/torn.tar", "").status()))
        << size;
    EXPECT_EQ(Inventory(directory_), before);
  }
}

TEST_F(HostileFile, AnAbsentFileIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(store_->Load(directory_ + "/absent.tar", "").status()));
}

TEST_F(HostileFile, ALayoutDirectoryWhoseBlobLeadsOutIsRefused) {
  Members members = Good();
  WriteMembers(members, directory_ + "/layout");
  for (const auto& [path, content] : members) {
    if (!absl::StartsWith(path, "blobs/")) continue;
    fs::rename(directory_ + "/layout/" + path, canary_ + "/" + fs::path(path).filename().string());
    fs::create_symlink(canary_ + "/" + fs::path(path).filename().string(),
                       directory_ + "/layout/" + path);
  }
  const absl::Status status = store_->Load(directory_ + "/layout", "").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("leads out"));
}

// One bit of the archive wrong, anywhere: refused, or the very same image.
TEST_F(HostileFile, NoFlippedBitMakesAnotherImage) {
  ImageDraft draft;
  draft.layers = {
      {Tar().Dir("d").File("d/x", "content").Symlink("l", "d").Bytes(), Packing::kGzip}};
  const std::string whole = TarOf(OciLayout(draft));
  unsigned random = 7;
  for (int round = 0; round < 400; ++round) {
    random = random * 1664525u + 1013904223u;
    std::string flipped = whole;
    flipped[(random >> 4) % whole.size()] ^= static_cast<char>(1 << (random & 7));
    ASSERT_TRUE(WriteFileDurably(directory_ + "/flipped.tar", flipped).ok());
    const auto loaded = store_->Load(directory_ + "/flipped.tar", "web:1.0");
    if (!loaded.ok()) {
      ASSERT_TRUE(absl::IsInvalidArgument(loaded.status())) << loaded.status();
      continue;
    }
    // Names stand outside all digests; everything else must be the draft's.
    ASSERT_EQ(loaded->size(), 1u);
    ASSERT_EQ(ReadFile(loaded->front().layers.at(0) + "/d/x").value(), "content");
    ASSERT_EQ(loaded->front().config.entrypoint, std::vector<std::string>{"/bin/web"});
  }
}

}  // namespace
}  // namespace cluster::node
