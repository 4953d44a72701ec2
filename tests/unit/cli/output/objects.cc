#include "objects.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cluster::cli {

absl::Time Noon() { return absl::FromUnixSeconds(1'800'000'000); }

v1::Object Parse(absl::string_view text) {
  v1::Object object;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(text), &object)) << text;
  return object;
}

v1::Pod ParsePod(absl::string_view text) {
  v1::Pod pod;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(text), &pod)) << text;
  return pod;
}

std::string At(absl::Duration ago) {
  return absl::StrCat("{ seconds: ", absl::ToUnixSeconds(Noon() - ago), " }");
}

}  // namespace cluster::cli
