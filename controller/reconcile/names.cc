#include "controller/reconcile/names.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
// A pod's name is its host name too, which ends at 63.
constexpr size_t kLongestName = 63;

// FNV-1a: fixed for ever, as the result lives on in names.
uint64_t Fingerprint(absl::string_view bytes, uint64_t seed) {
  uint64_t hash = 14695981039346656037ULL + seed;
  for (const char byte : bytes) {
    hash ^= static_cast<uint8_t>(byte);
    hash *= 1099511628211ULL;
  }
  // FNV mixes its last bytes weakly into the high bits; this is murmur3's finalizer.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  return hash;
}

}  // namespace

std::string RandomSuffix(Random* random, int length) {
  // By rejection, not std::uniform_int_distribution: the same seed gives the same name everywhere.
  std::string suffix;
  while (static_cast<int>(suffix.size()) < length) {
    const uint64_t five_bits = (*random)() >> 59;
    if (five_bits < kAlphabet.size()) suffix += kAlphabet[five_bits];
  }
  return suffix;
}

std::string RandomUid(Random* random) {
  const uint64_t high = ((*random)() & ~0xf000ULL) | 0x4000ULL;
  const uint64_t low = ((*random)() & ~(3ULL << 62)) | (2ULL << 62);
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                         high & 0xffff, low >> 48, low & 0xffff'ffff'ffffULL);
}

std::string JoinName(absl::string_view base, absl::string_view suffix) {
  const size_t room = kLongestName - std::min(kLongestName, suffix.size() + 1);
  base = base.substr(0, room);
  while (!base.empty() && std::isalnum(static_cast<unsigned char>(base.back())) == 0) {
    base.remove_suffix(1);
  }
  return absl::StrCat(base, "-", suffix);
}

std::string TemplateHash(const v1::PodTemplateSpec& pod_template, int salt) {
  v1::PodTemplateSpec plain = pod_template;
  plain.mutable_metadata()->mutable_labels()->erase(std::string(kTemplateHashLabel));
  return ContentHash(StableBytes(plain), static_cast<uint64_t>(salt));
}

std::string ContentHash(absl::string_view bytes, uint64_t salt) {
  uint64_t hash = Fingerprint(bytes, salt);
  std::string text;
  for (int i = 0; i < 10; ++i) {
    text += kAlphabet[hash % kAlphabet.size()];
    hash /= kAlphabet.size();
  }
  return text;
}

}  // namespace cluster::controller
