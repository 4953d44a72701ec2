#include "proto/schema/assignments_digest.h"

#include "absl/strings/str_cat.h"
#include "openssl/sha.h"

namespace cluster {

std::string AssignmentsDigest(const std::map<std::string, int64_t>& epoch_by_uid) {
  std::string text;
  for (const auto& [uid, epoch] : epoch_by_uid) absl::StrAppend(&text, uid, " ", epoch, "\n");
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

}  // namespace cluster
