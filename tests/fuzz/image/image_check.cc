#include "tests/fuzz/image/image_check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/file.h"
#include "node/image/digest.h"
#include "node/image/documents.h"
#include "node/image/layer_unpack.h"
#include "node/image/stored_image.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlock = 512;
constexpr size_t kSumAt = 148;
constexpr size_t kSumSize = 8;

// A directory with a canary beside the place where layers are unpacked. Removed at the end.
class Scratch {
 public:
  Scratch() {
    char path[] = "/tmp/cluster-fuzz-XXXXXX";
    top_ = mkdtemp(path);
    fs::create_directory(top_ + "/canary");
    if (!WriteFileDurably(top_ + "/canary/victim", "untouched").ok()) abort();
    canary_ = Look();
  }
  ~Scratch() { fs::remove_all(top_); }
  std::string layer() const { return top_ + "/layer"; }
  bool CanaryIsUntouched() const { return Look() == canary_; }

 private:
  std::string Look() const {
    std::string all;
    for (const auto& entry : fs::recursive_directory_iterator(top_ + "/canary")) {
      struct stat info {};
      ::lstat(entry.path().c_str(), &info);
      absl::StrAppend(&all, entry.path().string(), " ", info.st_mode, " ", info.st_uid, " ",
                      info.st_nlink, " ", info.st_size, " ", info.st_mtim.tv_nsec, "\n");
    }
    size_t beside = 0;
    for (const auto& entry : fs::directory_iterator(top_)) {
      beside += entry.path() != layer() ? 1 : 0;
    }
    return absl::StrCat(all, beside);
  }

  std::string top_;
  std::string canary_;
};

class Pieces : public ByteStream {
 public:
  explicit Pieces(std::string content) : content_(std::move(content)) {}
  absl::StatusOr<absl::string_view> Next() override {
    const absl::string_view piece = absl::string_view(content_).substr(at_, 1000);
    at_ += piece.size();
    return piece;
  }

 private:
  const std::string content_;
  size_t at_ = 0;
};

// Without this nearly every change to a header would be refused for its checksum alone.
void MendChecksums(std::string* tar) {
  for (size_t at = 0; at + kBlock <= tar->size(); at += kBlock) {
    if (tar->compare(at + 257, 5, "ustar") != 0) continue;
    tar->replace(at + kSumAt, kSumSize, kSumSize, ' ');
    unsigned sum = 0;
    for (size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>((*tar)[at + i]);
    tar->replace(at + kSumAt, kSumSize, absl::StrFormat("%06o", sum) + std::string("\0 ", 2));
  }
}

std::string FlawOf(const absl::Status& status) {
  if (status.ok() || absl::IsInvalidArgument(status)) return "";
  return absl::StrCat("an error of the wrong kind: ", status.ToString());
}

template <typename T>
std::string FlawOf(const absl::StatusOr<T>& result) {
  return FlawOf(result.status());
}

std::string FlawOfConfig(absl::string_view json) {
  const auto config = ParseConfig(json);
  if (!config.ok()) return FlawOf(config);
  for (const std::string& diff_id : config->diff_ids) {
    if (!IsSha256Digest(diff_id)) return absl::StrCat("took ", diff_id, " for a digest");
  }
  return "";
}

std::string FlawOfStored(absl::string_view json) {
  const auto image = ParseStoredImage(json);
  if (!image.ok()) return absl::IsDataLoss(image.status()) ? "" : image.status().ToString();
  const std::string printed = PrintStoredImage(*image);
  const auto again = ParseStoredImage(printed);
  if (!again.ok() || PrintStoredImage(*again) != printed) return "a record changes by rewriting";
  return "";
}

std::string FlawOfTree(const std::string& layer) {
  for (const auto& entry : fs::recursive_directory_iterator(layer)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) != 0) return "a file cannot be looked at";
    const bool device = S_ISBLK(info.st_mode) || S_ISCHR(info.st_mode);
    if (device && info.st_rdev != makedev(0, 0)) {
      return absl::StrCat("a device node at ", entry.path().string());
    }
  }
  return "";
}

std::string FlawOfLayer(absl::string_view input) {
  static const Scratch scratch;  // removed when the program ends
  std::string tar(input);
  MendChecksums(&tar);
  const std::string layer = scratch.layer();
  fs::create_directory(layer);
  std::string flaw;
  {
    const auto top = OpenAt(AT_FDCWD, layer, O_RDONLY | O_DIRECTORY);
    Pieces pieces(std::move(tar));
    ImageLimits limits;
    limits.max_entries = 500;
    limits.max_unpacked_bytes = 1 << 20;
    int64_t budget = limits.max_unpacked_bytes;
    flaw = FlawOf(UnpackLayer(&pieces, top->get(), limits, &budget));
    if (budget < 0) flaw = "the budget was overdrawn";
  }
  if (flaw.empty()) flaw = FlawOfTree(layer);
  if (flaw.empty() && !scratch.CanaryIsUntouched()) flaw = "something outside was touched";
  fs::remove_all(layer);
  return flaw;
}

}  // namespace

std::string FindImageFlaw(absl::string_view input) {
  if (input.empty()) return "";
  const absl::string_view rest = input.substr(1);
  switch (static_cast<ImageInput>(static_cast<unsigned char>(input[0]) % kImageInputs)) {
    case ImageInput::kIndex:
      return FlawOf(ParseIndex(rest));
    case ImageInput::kManifest:
      return FlawOf(ParseManifest(rest));
    case ImageInput::kConfig:
      return FlawOfConfig(rest);
    case ImageInput::kSavedImages:
      return FlawOf(ParseSavedImages(rest));
    case ImageInput::kRepositories: {
      const std::string flaw = FlawOf(ParseRepositories(rest));
      return flaw.empty() ? FlawOf(ParseLegacyLayer(rest)) : flaw;
    }
    case ImageInput::kStoredImage:
      return FlawOfStored(rest);
    case ImageInput::kLayer:
      return FlawOfLayer(rest);
  }
  return "";
}

}  // namespace cluster::node
