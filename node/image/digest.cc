#include "node/image/digest.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

constexpr absl::string_view kAlgorithm = "sha256:";
constexpr size_t kHexDigits = 64;

}  // namespace

bool IsSha256Digest(absl::string_view text) {
  if (!absl::StartsWith(text, kAlgorithm)) return false;
  text.remove_prefix(kAlgorithm.size());
  if (text.size() != kHexDigits) return false;
  for (const char c : text) {
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return false;
  }
  return true;
}

std::string HexOf(absl::string_view digest) {
  return std::string(digest.substr(kAlgorithm.size()));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void Sha256::Add(absl::string_view bytes) {
  EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

std::string Sha256::Digest() {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context_.get(), raw, &size);
  return absl::StrCat(kAlgorithm, absl::BytesToHexString(
                                      absl::string_view(reinterpret_cast<const char*>(raw), size)));
}

std::string Sha256Of(absl::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.Digest();
}

}  // namespace cluster::node
