#include "cli/commands/copy_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Member {
  std::string path;
  mode_t type = AE_IFREG;
  std::string content = "";
  std::string link = "";  // target of a symbolic or hard link
  bool is_hard_link = false;
  mode_t mode = 0644;
};

std::string TarOf(const std::vector<Member>& members) {
  std::string bytes;
  archive* const writer = archive_write_new();
  archive_write_set_format_gnutar(writer);
  archive_write_open(
      writer, &bytes, nullptr,
      [](archive*, void* out, const void* data, size_t size) {
        static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
        return static_cast<la_ssize_t>(size);
      },
      nullptr);
  for (const Member& member : members) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.path.c_str());
    archive_entry_set_filetype(entry, member.type);
    archive_entry_set_perm(entry, member.mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
    if (member.is_hard_link) {
      archive_entry_set_hardlink(entry, member.link.c_str());
    } else if (!member.link.empty()) {
      archive_entry_set_symlink(entry, member.link.c_str());
    }
    EXPECT_GE(archive_write_header(writer, entry), ARCHIVE_WARN) << archive_error_string(writer);
    archive_write_data(writer, member.content.data(), member.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return bytes;
}

class CopyArchiveTest : public testing::Test {
 protected:
  CopyArchiveTest() {
    std::string name = testing::TempDir() + "/copyXXXXXX";
    folder_ = mkdtemp(name.data());
    EXPECT_TRUE(MakeDirectories(folder_ + "/outside").ok());
    Write("outside/victim", "untouched");
  }
  ~CopyArchiveTest() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(MakeDirectories(fs::path(folder_ + "/" + name).parent_path()).ok());
    EXPECT_TRUE(WriteFileDurably(folder_ + "/" + name, text, 0644).ok());
  }
  std::string Read(const std::string& name) {
    return ReadFile(folder_ + "/" + name).value_or("absent");
  }
  std::string Pack(const std::string& name, const std::string& as) {
    std::string bytes;
    const absl::Status packed = PackForCopy(
        folder_ + "/" + name, as,
        [&bytes](absl::string_view piece) {
          bytes.append(piece.data(), piece.size());
          return absl::OkStatus();
        },
        Warned());
    EXPECT_TRUE(packed.ok()) << packed;
    return bytes;
  }
  // In pieces that fit to nothing.
  absl::Status Unpack(const std::string& tar, const std::string& name, const std::string& to) {
    size_t at = 0;
    return UnpackCopied(
        [&]() -> absl::StatusOr<std::string> {
          const std::string piece = tar.substr(std::min(at, tar.size()), 777);
          at += piece.size();
          return piece;
        },
        name, folder_ + "/" + to, Warned());
  }
  Warn Warned() {
    return [this](const std::string& sentence) { warnings_.push_back(sentence); };
  }

  std::string folder_;
  std::vector<std::string> warnings_;
};

TEST_F(CopyArchiveTest, WhatIsPackedComesOutTheSame) {
  Write("site/index.html", "hello");
  Write("site/deep/down/empty", "");
  Write("site/big", std::string(300'000, 'x') + "end");
  fs::create_directories(folder_ + "/site/bare");
  fs::permissions(folder_ + "/site/index.html", fs::perms(0750));
  ASSERT_TRUE(Unpack(Pack("site", "web"), "web", "copy").ok());
  EXPECT_EQ(Read("copy/index.html"), "hello");
  EXPECT_EQ(Read("copy/deep/down/empty"), "");
  EXPECT_EQ(Read("copy/big"), std::string(300'000, 'x') + "end");
  EXPECT_TRUE(fs::is_directory(folder_ + "/copy/bare"));
  const mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQ(static_cast<unsigned>(fs::status(folder_ + "/copy/index.html").permissions()),
            0750u & ~mask);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(CopyArchiveTest, AFileBecomesTheDestinationOrGoesIntoIt) {
  Write("a", "one");
  const std::string tar = Pack("a", "a");
  ASSERT_TRUE(Unpack(tar, "a", "b").ok());
  EXPECT_EQ(Read("b"), "one");
  fs::create_directories(folder_ + "/dir");
  ASSERT_TRUE(Unpack(tar, "a", "dir").ok());
  EXPECT_EQ(Read("dir/a"), "one");
  EXPECT_EQ(Unpack(tar, "c", "x").code(), absl::StatusCode::kNotFound);
}

TEST_F(CopyArchiveTest, TheNamesThatTarsWriteAreUnderstood) {
  for (const char* prefix : {"web/", "./web/", "web//", "./web/./"}) {
    ASSERT_TRUE(Unpack(TarOf({{absl::StrCat(prefix, "x"), AE_IFREG, prefix}}), "web", "copy").ok());
    EXPECT_EQ(Read("copy/x"), prefix);
  }
  ASSERT_TRUE(Unpack(TarOf({{"./a/x", AE_IFREG, "whole"}}), ".", "all").ok());
  EXPECT_EQ(Read("all/a/x"), "whole");
}

TEST_F(CopyArchiveTest, LinksGoUpAsSuchAndAreLeftOutOnTheWayDown) {
  Write("site/x", "1");
  fs::create_symlink("/outside", folder_ + "/site/out");
  ASSERT_EQ(mkfifo((folder_ + "/site/pipe").c_str(), 0600), 0);
  const std::string tar = Pack("site", "web");
  EXPECT_THAT(warnings_,
              ElementsAre(HasSubstr("site/pipe: it is neither file, directory nor link")));
  warnings_.clear();
  ASSERT_TRUE(Unpack(tar, "web", "copy").ok());
  EXPECT_THAT(warnings_, ElementsAre("skipping symlink: \"web/out\" -> \"/outside\""));
  EXPECT_FALSE(fs::exists(fs::symlink_status(folder_ + "/copy/out")));
}

TEST_F(CopyArchiveTest, AHardLinkIsOneToWhatWasCopied) {
  const std::string tar =
      TarOf({{"web/a", AE_IFREG, "one"}, {"web/b", AE_IFREG, "", "web/a", true}});
  ASSERT_TRUE(Unpack(tar, "web", "copy").ok());
  EXPECT_EQ(Read("copy/b"), "one");
}

TEST_F(CopyArchiveTest, NothingIsWrittenOutsideOfTheDestination) {
  const std::string outside = folder_ + "/outside";
  const std::map<std::string, std::vector<Member>> hostile = {
      {"upwards", {{"web/../../outside/victim", AE_IFREG, "owned"}}},
      {"upwards from the start", {{"../outside/victim", AE_IFREG, "owned"}}},
      {"absolute", {{outside + "/victim", AE_IFREG, "owned"}}},
      {"through a link of its own",
       {{"web/out", AE_IFLNK, "", outside}, {"web/out/victim", AE_IFREG, "owned"}}},
      {"through a link that was here", {{"web/here/victim", AE_IFREG, "owned"}}},
      {"onto a link that was here", {{"web/leaf", AE_IFREG, "owned"}}},
      {"a directory through a link", {{"web/here/new", AE_IFDIR, ""}}},
      {"a hard link upwards", {{"web/x", AE_IFREG, "", "../outside/victim", true}}},
      {"a hard link to elsewhere",
       {{"web/x", AE_IFREG, "", outside + "/victim", true}, {"web/x", AE_IFREG, "owned"}}},
      {"a hard link through a link",
       {{"web/x", AE_IFREG, "", "web/here/victim", true}, {"web/x", AE_IFREG, "owned"}}},
  };
  for (const auto& [what, members] : hostile) {
    fs::remove_all(folder_ + "/copy");
    fs::create_directories(folder_ + "/copy");
    fs::create_directory_symlink(outside, folder_ + "/copy/here");
    fs::create_symlink(outside + "/victim", folder_ + "/copy/leaf");
    const absl::Status unpacked = Unpack(TarOf(members), "web", "copy");
    EXPECT_EQ(Read("outside/victim"), "untouched") << what << ": " << unpacked;
    EXPECT_FALSE(fs::exists(outside + "/new")) << what << ": " << unpacked;
    struct stat info {};
    ASSERT_EQ(stat((outside + "/victim").c_str(), &info), 0);
    EXPECT_EQ(info.st_nlink, 1u) << what << ": " << unpacked;
  }
}

TEST_F(CopyArchiveTest, SetIdBitsAndDevicesDoNotComeAlong) {
  const std::string tar =
      TarOf({{"web/tool", AE_IFREG, "x", "", false, 06755}, {"web/null", AE_IFCHR}});
  ASSERT_TRUE(Unpack(tar, "web", "copy").ok());
  struct stat info {};
  ASSERT_EQ(stat((folder_ + "/copy/tool").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07000, 0u);
  EXPECT_FALSE(fs::exists(folder_ + "/copy/null"));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("web/null: it is neither file nor directory")));
}

TEST_F(CopyArchiveTest, AnArchiveThatBreaksOffOrIsNoneIsAnError) {
  const std::string tar = TarOf({{"web/a", AE_IFREG, std::string(5000, 'x')}});
  EXPECT_EQ(Unpack(tar.substr(0, 2000), "web", "copy").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Unpack("sh: tar: not found\n", "web", "copy").ok());
  EXPECT_EQ(Unpack("", "web", "copy").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CopyArchiveTest, WhoTakesItMayEndIt) {
  Write("a", std::string(1 << 20, 'x'));
  const absl::Status packed = PackForCopy(
      folder_ + "/a", "a", [](absl::string_view) { return absl::UnavailableError("gone"); },
      Warned());
  EXPECT_EQ(packed, absl::UnavailableError("gone"));
}

}  // namespace
}  // namespace cluster::cli
