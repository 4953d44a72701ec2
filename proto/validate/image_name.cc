#include "proto/validate/image_name.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cluster {
namespace {

constexpr size_t kLongestTag = 128;
constexpr size_t kLongestName = 255;
constexpr size_t kSha256Hex = 64;

struct Parts {
  absl::string_view path;    // with the registry's host
  absl::string_view tag;     // after ':'; null data where there is none
  absl::string_view digest;  // after '@'; null data where there is none
};

Parts Split(absl::string_view image) {
  Parts parts;
  const size_t at = image.find('@');
  if (at != absl::string_view::npos) {
    parts.digest = image.substr(at + 1);
    image = image.substr(0, at);
  }
  const size_t colon = image.rfind(':');
  const size_t slash = image.rfind('/');
  // A colon before the last slash belongs to the registry's port.
  if (colon != absl::string_view::npos && (slash == absl::string_view::npos || colon > slash)) {
    parts.tag = image.substr(colon + 1);
    image = image.substr(0, colon);
  }
  parts.path = image;
  return parts;
}

bool IsTag(absl::string_view tag) {
  if (tag.empty() || tag.size() > kLongestTag || tag[0] == '.' || tag[0] == '-') return false;
  for (const char c : tag) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.' && c != '-') {
      return false;
    }
  }
  return true;
}

bool IsSha256(absl::string_view digest) {
  if (!absl::ConsumePrefix(&digest, "sha256:") || digest.size() != kSha256Hex) return false;
  for (const char c : digest) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c)) && (c < 'a' || c > 'f')) return false;
  }
  return true;
}

// Lower case letters and digits, with single separators between them.
bool IsPathComponent(absl::string_view component) {
  const auto is_word = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c));
  };
  if (component.empty() || !is_word(component.front()) || !is_word(component.back())) return false;
  for (const char c : component) {
    if (!is_word(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return !absl::StrContains(component, "..") && !absl::StrContains(component, "___");
}

bool IsHost(absl::string_view component) {
  return absl::StrContains(component, '.') || absl::StrContains(component, ':') ||
         component == "localhost";
}

bool IsHostAndPort(absl::string_view host) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(host, absl::MaxSplits(':', 1));
  if (parts.first.empty()) return false;
  for (const char c : parts.first) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-') return false;
  }
  for (const char c : parts.second) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return !absl::StrContains(host, ':') || !parts.second.empty();
}

std::string PathProblem(absl::string_view image, absl::string_view path) {
  std::vector<absl::string_view> components = absl::StrSplit(path, '/');
  size_t first = 0;
  if (components.size() > 1 && IsHost(components[0])) {
    if (!IsHostAndPort(components[0])) {
      return absl::StrCat("\"", components[0], "\" in \"", image,
                          "\" is not a registry; write HOST or HOST:PORT");
    }
    first = 1;
  }
  for (size_t i = first; i < components.size(); ++i) {
    if (IsPathComponent(components[i])) continue;
    return absl::StrCat("\"", image,
                        "\" is not an image name; write it as name:tag, in lower case letters, "
                        "digits and single '.', '_' or '-' between them");
  }
  return "";
}

}  // namespace

std::string ImageNameProblem(absl::string_view image) {
  const Parts parts = Split(image);
  if (image.size() > kLongestName) {
    return absl::StrCat("an image name has at most ", kLongestName, " characters, this one has ",
                        image.size(), "; shorten it");
  }
  if (parts.digest.data() != nullptr && !IsSha256(parts.digest)) {
    return absl::StrCat("\"", parts.digest,
                        "\" is not a digest; write sha256: and 64 hexadecimal digits");
  }
  if (parts.tag.data() != nullptr && !IsTag(parts.tag)) {
    return absl::StrCat("\"", parts.tag, "\" in \"", image,
                        "\" is not a tag; use at most 128 letters, digits, '_', '.' and '-', not "
                        "beginning with '.' or '-'");
  }
  return PathProblem(image, parts.path);
}

bool IsLatest(absl::string_view image) {
  const Parts parts = Split(image);
  if (parts.digest.data() != nullptr) return false;
  return parts.tag.data() == nullptr || parts.tag == "latest";
}

}  // namespace cluster
