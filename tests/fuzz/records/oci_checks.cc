#include "tests/fuzz/records/oci_checks.h"

#include <vector>

#include "absl/strings/str_cat.h"

#include "node/oci/config.h"
#include "node/oci/state.h"

namespace cluster::oci {
namespace {

std::string Refusal(const absl::Status& status) {
  if (status.ok()) return "";
  if (!absl::IsInvalidArgument(status)) return absl::StrCat("refused as ", status.ToString());
  return status.message().empty() ? "refused without a word" : "";
}

}  // namespace

std::string FindConfigFlaw(absl::string_view text) {
  std::vector<std::string> warnings;
  for (const absl::Status& status :
       {ReadConfig(text).status(), ReadProcess(text, &warnings).status(),
        ReadResources(text).status()}) {
    const std::string flaw = Refusal(status);
    if (!flaw.empty()) return flaw;
  }
  return "";
}

std::string FindOciStateFlaw(absl::string_view text) {
  const auto read = DecodeState(std::string(text));
  if (!read.ok()) return "";
  const std::string once = EncodeState(*read);
  const auto again = DecodeState(once);
  if (!again.ok()) return absl::StrCat("cannot read back ", once);
  return EncodeState(*again) == once ? "" : absl::StrCat("reads otherwise: ", once);
}

}  // namespace cluster::oci
