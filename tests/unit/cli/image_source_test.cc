#include "cli/commands/image_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

namespace fs = std::filesystem;

class ImageSourceTest : public testing::Test {
 protected:
  ImageSourceTest() {
    std::string name = testing::TempDir() + "/imageXXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~ImageSourceTest() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  std::string Read(const std::string& path) {
    std::string bytes;
    const absl::Status status = ReadImage(path, [&](absl::string_view data) {
      EXPECT_LE(data.size(), size_t{1} << 20);
      bytes.append(data.data(), data.size());
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    return bytes;
  }

  fs::path folder_;
};

std::map<std::string, std::string> Unpack(const std::string& tar) {
  std::map<std::string, std::string> files;
  archive* reader = archive_read_new();
  archive_read_support_format_tar(reader);
  EXPECT_EQ(archive_read_open_memory(reader, tar.data(), tar.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    std::string& content = files[archive_entry_pathname(entry)];
    content.resize(static_cast<size_t>(archive_entry_size(entry)));
    EXPECT_EQ(archive_read_data(reader, content.data(), content.size()),
              static_cast<la_ssize_t>(content.size()));
  }
  archive_read_free(reader);
  return files;
}

TEST_F(ImageSourceTest, AFileGoesAsItIs) {
  const std::string big(3'000'000, 'x');
  Write("image.tar", big);
  EXPECT_EQ(Read(folder_ / "image.tar"), big);
}

TEST_F(ImageSourceTest, ALayoutBecomesATarOfTheSameBytesEachTime) {
  const std::string blob(2'500'000, 'b');
  Write("oci-layout", "{}");
  Write("index.json", "[]");
  Write("blobs/sha256/abc", blob);
  const std::string tar = Read(folder_);
  EXPECT_EQ(tar, Read(folder_));
  const auto files = Unpack(tar);
  EXPECT_EQ(files.at("oci-layout"), "{}");
  EXPECT_EQ(files.at("index.json"), "[]");
  EXPECT_EQ(files.at("blobs/sha256/abc"), blob);
  EXPECT_EQ(files.count("blobs/"), 1u);
}

TEST_F(ImageSourceTest, OtherFoldersAreRefused) {
  const auto all = [](absl::string_view) { return true; };
  EXPECT_THAT(std::string(ReadImage(folder_, all).message()),
              testing::HasSubstr("is not an OCI layout"));
  Write("oci-layout", "{}");
  fs::create_symlink("/etc/passwd", folder_ / "link");
  EXPECT_THAT(std::string(ReadImage(folder_, all).message()),
              testing::HasSubstr("link is neither a file nor a folder"));
  EXPECT_THAT(std::string(ReadImage(folder_ / "none", all).message()),
              testing::HasSubstr("there is no file"));
}

TEST_F(ImageSourceTest, StopsWhenNobodyTakesItAnyMore) {
  Write("oci-layout", "{}");
  Write("blob", std::string(5'000'000, 'x'));
  int chunks = 0;
  const absl::Status status = ReadImage(folder_, [&](absl::string_view) { return ++chunks < 2; });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

}  // namespace
}  // namespace cluster::cli
