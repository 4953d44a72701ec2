#include "rules.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "proto/schema/reader.h"
#include "proto/validate/validate.h"

namespace cluster::controller {

v1::Object FromYaml(const std::string& text) {
  ReadResult result = ReadManifests(text, "test.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  if (result.documents.empty()) return {};
  v1::Object object = result.documents[0].object;
  MutableMeta(&object)->set_uid(absl::StrCat(KindOf(object).name, "-", Meta(object).name()));
  SetDefaults(&object);
  for (const FieldError& error : Validate(object)) {
    ADD_FAILURE() << error.field << ": " << error.message;
  }
  return object;
}

v1::Object Range(const std::string& name, const std::string& item) {
  return FromYaml(absl::StrCat("apiVersion: v1\nkind: LimitRange\nmetadata: {name: ", name,
                               "}\nspec: {limits: [{", item, "}]}\n"));
}

v1::Object Quota(const std::string& name, const std::string& hard, const std::string& more) {
  return FromYaml(absl::StrCat("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: ", name,
                               "}\nspec:\n  hard: {", hard, "}\n", more));
}

}  // namespace cluster::controller
