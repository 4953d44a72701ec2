#include "proto/schema/jsonpath.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

const Json& Root() {
  static const auto* const root = new Json(Json::parse(R"({
    "kind": "List",
    "items": [
      {"metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x", "tier": "front"}},
       "status": {"podIP": "10.0.0.1", "ready": true, "restarts": 3,
                  "conditions": [{"type": "Ready", "status": "True"},
                                 {"type": "Other", "status": "False"}]}},
      {"metadata": {"name": "b"}, "status": {"podIP": "10.0.0.2", "ready": false, "restarts": 0}},
      {"metadata": {"name": "c"}, "status": {}}
    ]})"));
  return *root;
}

struct Case {
  const char* path;
  const char* printed;
};

class JsonPathTest : public testing::TestWithParam<Case> {};

TEST_P(JsonPathTest, Prints) {
  const auto path = JsonPath::Parse(GetParam().path);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(path->Print(Root()).value(), GetParam().printed) << GetParam().path;
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonPathTest,
    testing::Values(
        Case{"{.kind}", "List"}, Case{".kind", "List"}, Case{"kind", "List"}, Case{"", ""},
        Case{"{$.kind}", "List"}, Case{"{@.kind}", "List"}, Case{"kind={.kind}!", "kind=List!"},
        Case{"{.items[*].metadata.name}", "a b c"}, Case{"{.items[0].metadata.name}", "a"},
        Case{"{.items[-1].metadata.name}", "c"}, Case{"{.items[9].metadata.name}", ""},
        Case{"{.items[-9].metadata.name}", ""}, Case{"{.items[0:2].metadata.name}", "a b"},
        Case{"{.items[1:].metadata.name}", "b c"}, Case{"{.items[:-1].metadata.name}", "a b"},
        Case{"{.items[::2].metadata.name}", "a c"}, Case{"{.items[0,2].metadata.name}", "a c"},
        Case{"{.items[0]['metadata'].name}", "a"},
        Case{"{.items[0].metadata.labels['app.kubernetes.io/name']}", "x"},
        Case{"{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "x"},
        Case{"{.items[0].metadata.labels['tier','app.kubernetes.io/name']}", "front x"},
        Case{"{.items[0].metadata.labels.*}", "x front"}, Case{"{.missing.field}", ""},
        Case{"{..name}", "a b c"}, Case{"{.items..podIP}", "10.0.0.1 10.0.0.2"},
        Case{"{range .items[*]}{.metadata.name}{\"\\t\"}{.status.podIP}{\"\\n\"}{end}",
             "a\t10.0.0.1\nb\t10.0.0.2\nc\t\n"},
        Case{"{range .items[*]}{.metadata.name}:{range .status.conditions[*]}{.type},{end};{end}",
             "a:Ready,Other,;b:;c:;"},
        Case{"{range .items[*]}{$.kind}{end}", "ListListList"},
        Case{"{.items[0].status.conditions[?(@.type==\"Ready\")].status}", "True"},
        Case{"{.items[0].status.conditions[?(@.type=='Ready')].status}", "True"},
        Case{"{.items[0].status.conditions[?(@.type!=\"Ready\")].status}", "False"},
        Case{"{.items[?(@.status.podIP)].metadata.name}", "a b"},
        Case{"{.items[?(@.status.restarts>1)].metadata.name}", "a"},
        Case{"{.items[?(@.status.restarts<=3)].metadata.name}", "a b"},
        Case{"{.items[?(@.status.ready==true)].metadata.name}", "a"},
        Case{"{.items[?(@.status.ready==false)].metadata.name}", "b"},
        Case{"{.items[?(@.metadata.name==$.items[1].metadata.name)].status.podIP}", "10.0.0.2"},
        Case{"{.items[1].status}", R"({"podIP":"10.0.0.2","ready":false,"restarts":0})"},
        Case{"{.items[0].status.restarts}", "3"}, Case{"{.items[0].status.ready}", "true"},
        Case{"{.items[2].status}{'x'}", "{}x"}, Case{"{ .kind }", "List"}));

TEST(JsonPath, RefusesBadTemplatesWithASentence) {
  for (const char* text :
       {"{.kind", "{.items[}", "{.items[0}", "{.items[x]}", "{range .items[*]}{.a}", "{end}",
        "{.items[?(@.a=1)]}", "{.items[?(@.a==)]}", "{.items[?(\"a\")]}", "{.items['a}", "{\"a}",
        "{.items[?(@.a==1]}", "{#}", ".a}", "{.items[0:1:0]}", "{.items[1:2:-1]}"}) {
    const auto path = JsonPath::Parse(text);
    EXPECT_TRUE(absl::IsInvalidArgument(path.status())) << text;
    EXPECT_THAT(std::string(path.status().message()), testing::StartsWith("jsonpath: ")) << text;
  }
}

TEST(JsonPath, BoundsNestingAndWork) {
  std::string ranges;
  for (int i = 0; i < 1000; ++i) ranges += "{range .a[*]}";
  EXPECT_FALSE(JsonPath::Parse(ranges).ok());
  std::string filters = "{.a";
  for (int i = 0; i < 1000; ++i) filters += "[?(@.a";
  EXPECT_FALSE(JsonPath::Parse(filters).ok());
  Json deep = 1;
  for (int i = 0; i < 200; ++i) deep = Json::array({std::move(deep)});
  const auto path = JsonPath::Parse("{..*..*..*..*..*}");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_TRUE(absl::IsResourceExhausted(path->Print(deep).status()));
}

TEST(JsonPath, FindsValues) {
  const auto found = JsonPath::Parse("{.items[*].metadata.name}").value().Find(Root());
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ(*found->at(0), "a");
}

}  // namespace
}  // namespace cluster
