// SHA-256 digests as OCI writes them: "sha256:" and 64 lower-case hex digits.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include <openssl/evp.h>

namespace cluster::node {

bool IsSha256Digest(absl::string_view text);
// The 64 digits of a digest.
std::string HexOf(absl::string_view digest);

// Of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  void Add(absl::string_view bytes);
  // Once, at the end.
  std::string Digest();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

std::string Sha256Of(absl::string_view bytes);

}  // namespace cluster::node
