#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/selector.h"

namespace cluster {
namespace {

Labels MakeLabels(std::initializer_list<std::pair<const char*, const char*>> pairs) {
  Labels labels;
  for (const auto& [key, value] : pairs) labels[key] = value;
  return labels;
}

struct Case {
  const char* selector;
  bool matches;  // {app: web, tier: front, example.com/x: ""}
};

class LabelMatcherTest : public testing::TestWithParam<Case> {};

TEST_P(LabelMatcherTest, Matches) {
  const Labels labels = MakeLabels({{"app", "web"}, {"tier", "front"}, {"example.com/x", ""}});
  const auto matcher = LabelMatcher::Parse(GetParam().selector);
  ASSERT_TRUE(matcher.ok()) << matcher.status();
  EXPECT_EQ(matcher->Matches(labels), GetParam().matches) << GetParam().selector;
  const auto again = LabelMatcher::Parse(matcher->ToString());
  ASSERT_TRUE(again.ok()) << matcher->ToString();
  EXPECT_EQ(again->Matches(labels), GetParam().matches) << matcher->ToString();
}

INSTANTIATE_TEST_SUITE_P(
    Table, LabelMatcherTest,
    testing::Values(Case{"", true}, Case{"app=web", true}, Case{"app == web", true},
                    Case{"app=db", false}, Case{"app!=db", true}, Case{"app!=web", false},
                    Case{"missing!=x", true}, Case{"app", true}, Case{"!app", false},
                    Case{"!missing", true}, Case{"app in (web, db)", true},
                    Case{"app in (db)", false}, Case{"app notin (db,x)", true},
                    Case{"app notin (web)", false}, Case{"missing notin (web)", true},
                    Case{"missing in (web)", false}, Case{"app=web,tier=front", true},
                    Case{"app=web , tier!=front", false}, Case{"example.com/x=", true},
                    Case{"example.com/x in ()", true}, Case{"app=", false},
                    Case{"app=web,!missing,tier in (a,front)", true}));

TEST(LabelMatcher, RefusesBadTextWithASentence) {
  for (const char* text : {"=web", "app=web,", "app=web tier=x", "app in web", "app in (web",
                           "app>1", ",", "!", "app=(x)", "app=a/b", "app=\"x\"", "app in (a b)"}) {
    const auto matcher = LabelMatcher::Parse(text);
    EXPECT_TRUE(absl::IsInvalidArgument(matcher.status())) << text;
    EXPECT_THAT(std::string(matcher.status().message()), testing::HasSubstr("app=web")) << text;
  }
}

TEST(LabelMatcher, TakesTheObjectsForm) {
  v1::LabelSelector selector;
  (*selector.mutable_match_labels())["app"] = "web";
  auto* expression = selector.add_match_expressions();
  expression->set_key("tier");
  expression->set_operator_(v1::SELECTOR_OPERATOR_IN);
  expression->add_values("front");
  expression->add_values("back");
  const auto matcher = LabelMatcher::From(selector);
  ASSERT_TRUE(matcher.ok());
  EXPECT_EQ(matcher->ToString(), "app=web,tier in (back,front)");
  EXPECT_TRUE(matcher->Matches(MakeLabels({{"app", "web"}, {"tier", "back"}})));
  EXPECT_FALSE(matcher->Matches(MakeLabels({{"app", "web"}})));
}

TEST(LabelMatcher, RefusesOperatorsThatDoNotFitTheirValues) {
  v1::LabelSelector selector;
  auto* expression = selector.add_match_expressions();
  expression->set_key("tier");
  EXPECT_FALSE(LabelMatcher::From(selector).ok());
  expression->set_operator_(v1::SELECTOR_OPERATOR_IN);
  EXPECT_FALSE(LabelMatcher::From(selector).ok());
  expression->set_operator_(v1::SELECTOR_OPERATOR_EXISTS);
  EXPECT_TRUE(LabelMatcher::From(selector).ok());
  expression->add_values("x");
  EXPECT_FALSE(LabelMatcher::From(selector).ok());
}

TEST(LabelMatcher, EmptySelectsEverything) {
  EXPECT_TRUE(LabelMatcher::From({}).value().empty());
  EXPECT_TRUE(LabelMatcher().Matches({}));
}

}  // namespace
}  // namespace cluster
