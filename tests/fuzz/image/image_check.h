// What must hold for whatever an image archive contains; shared by the fuzzer and its replay. Needs
// root: layers own files and hide others.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster::node {

// The first byte of an input says what it is.
enum class ImageInput : char {
  kIndex = 0,
  kManifest,
  kConfig,
  kSavedImages,
  kRepositories,
  kStoredImage,
  kLayer,  // a tar, whose header checksums are mended first
};
constexpr int kImageInputs = 7;

// "" when all is well, else what is wrong: an error of another kind than InvalidArgument, a result
// that breaks its own rules, or a layer that reached out of its directory.
std::string FindImageFlaw(absl::string_view input);

}  // namespace cluster::node
