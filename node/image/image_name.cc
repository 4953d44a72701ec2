// Names of images: [HOST[:PORT]/]PATH[:TAG][@DIGEST].
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/image/digest.h"
#include "node/image/image_store.h"

namespace cluster::node {
namespace {

constexpr size_t kMaxName = 255;
constexpr size_t kMaxTag = 128;

absl::Status BadName(absl::string_view name, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is no image name: ", why,
                                                 "; write it like nginx:1.25 or ",
                                                 "registry.example.com/team/web:v2"));
}

bool IsLowerAlnum(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

// Lower-case letters and digits, with single '.', one or two '_' or any number of '-' in between.
bool IsPathPart(absl::string_view part) {
  if (part.empty() || !IsLowerAlnum(part.front()) || !IsLowerAlnum(part.back())) return false;
  size_t gap = 0;
  for (size_t i = 0; i < part.size(); ++i) {
    const char c = part[i];
    if (IsLowerAlnum(c)) {
      gap = 0;
      continue;
    }
    if (c != '.' && c != '_' && c != '-') return false;
    if (++gap > 1 && part[i - 1] != c) return false;
    if ((c == '.' && gap > 1) || (c == '_' && gap > 2)) return false;
  }
  return true;
}

bool IsHost(absl::string_view part) {
  const std::vector<absl::string_view> host_port = absl::StrSplit(part, absl::MaxSplits(':', 1));
  for (const absl::string_view label : absl::StrSplit(host_port[0], '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    for (const char c : label) {
      if (!absl::ascii_isalnum(c) && c != '-') return false;
    }
  }
  if (host_port.size() == 1) return true;
  return !host_port[1].empty() && host_port[1].size() <= 5 &&
         host_port[1].find_first_not_of("0123456789") == absl::string_view::npos;
}

bool LooksLikeHost(absl::string_view part) {
  return part == "localhost" || absl::StrContains(part, '.') || absl::StrContains(part, ':');
}

bool IsTag(absl::string_view tag) {
  if (tag.empty() || tag.size() > kMaxTag) return false;
  if (!absl::ascii_isalnum(tag.front()) && tag.front() != '_') return false;
  for (const char c : tag) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

// The repository without what Docker's registry leaves out.
absl::StatusOr<std::string> NormalizeRepository(absl::string_view name,
                                                absl::string_view repository) {
  std::vector<absl::string_view> parts = absl::StrSplit(repository, '/');
  std::string host;
  if (parts.size() > 1 && LooksLikeHost(parts.front())) {
    if (!IsHost(parts.front())) return BadName(name, "its host is malformed");
    host = std::string(parts.front());
    parts.erase(parts.begin());
  }
  if (host == "docker.io" || host == "index.docker.io") {
    host.clear();
    if (parts.size() == 2 && parts[0] == "library") parts.erase(parts.begin());
  } else if (host.empty() && parts.size() == 2 && parts[0] == "library") {
    parts.erase(parts.begin());
  }
  std::string normalized = host;
  for (const absl::string_view part : parts) {
    if (!IsPathPart(part)) {
      return BadName(name, absl::StrCat("'", part,
                                        "' must be lower-case letters and digits with . _ - "
                                        "between them"));
    }
    absl::StrAppend(&normalized, normalized.empty() ? "" : "/", part);
  }
  return normalized;
}

}  // namespace

absl::StatusOr<std::string> NormalizeImageName(absl::string_view name) {
  if (name.empty()) return BadName(name, "it is empty");
  if (name.size() > kMaxName + kMaxTag) return BadName(name.substr(0, 64), "it is too long");
  if (IsSha256Digest(name)) return std::string(name);
  absl::string_view rest = name;
  std::string suffix;
  const size_t at = rest.find('@');
  if (at != absl::string_view::npos) {
    if (!IsSha256Digest(rest.substr(at + 1))) {
      return BadName(name, "what follows '@' is no sha256 digest");
    }
    suffix = std::string(rest.substr(at));
    rest = rest.substr(0, at);
  }
  const size_t colon = rest.rfind(':');
  if (colon != absl::string_view::npos && !absl::StrContains(rest.substr(colon), '/')) {
    const absl::string_view tag = rest.substr(colon + 1);
    if (!IsTag(tag)) return BadName(name, absl::StrCat("'", tag, "' is no tag"));
    suffix = absl::StrCat(":", tag, suffix);
    rest = rest.substr(0, colon);
  } else if (suffix.empty()) {
    suffix = ":latest";
  }
  ASSIGN_OR_RETURN(const std::string repository, NormalizeRepository(name, rest));
  if (repository.size() > kMaxName) return BadName(name.substr(0, 64), "it is too long");
  return absl::StrCat(repository, suffix);
}

}  // namespace cluster::node
