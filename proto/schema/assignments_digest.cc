#include "proto/schema/assignments_digest.h"

#include "absl/strings/str_cat.h"
#include "openssl/sha.h"

namespace cluster {

void AssignmentsDigester::Add(absl::string_view uid, int64_t epoch) {
  absl::StrAppend(&text_, uid, " ", epoch, "\n");
}

std::string AssignmentsDigester::Digest() const {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text_.data()), text_.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string AssignmentsDigest(const std::map<std::string, int64_t>& epoch_by_uid) {
  AssignmentsDigester digester;
  for (const auto& [uid, epoch] : epoch_by_uid) digester.Add(uid, epoch);
  return digester.Digest();
}

}  // namespace cluster
