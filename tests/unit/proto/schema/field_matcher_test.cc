#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/selector.h"

namespace cluster {
namespace {

v1::Object Pod() {
  v1::Pod pod;
  pod.mutable_metadata()->set_name("web");
  (*pod.mutable_metadata()->mutable_labels())["app.kubernetes.io/name"] = "x";
  pod.mutable_spec()->set_node_name("node1");
  pod.mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
  pod.mutable_metadata()->mutable_creation_timestamp()->set_seconds(0);
  return Wrap(pod);
}

bool Matches(const char* text) {
  const auto matcher = FieldMatcher::Parse(text, *FindKind("Pod"));
  EXPECT_TRUE(matcher.ok()) << matcher.status();
  return matcher.ok() && matcher->Matches(Pod());
}

TEST(FieldMatcher, ComparesAnyScalarField) {
  EXPECT_TRUE(Matches(""));
  EXPECT_TRUE(Matches("metadata.name=web"));
  EXPECT_TRUE(Matches("metadata.name==web,spec.nodeName = node1"));
  EXPECT_FALSE(Matches("metadata.name=web,spec.nodeName!=node1"));
  EXPECT_TRUE(Matches("status.phase=Running"));
  EXPECT_TRUE(Matches("status.phase!=Pending"));
  EXPECT_TRUE(Matches("status.podIP="));
  EXPECT_TRUE(Matches("metadata.creationTimestamp=1970-01-01T00:00:00Z"));
  EXPECT_TRUE(Matches("metadata.labels[app.kubernetes.io/name]=x"));
  EXPECT_TRUE(Matches("metadata.labels[other]="));
  EXPECT_TRUE(Matches("spec.restartPolicy="));
}

TEST(FieldMatcher, ReadsBoolsAsWords) {
  const auto matcher = FieldMatcher::Parse("spec.unschedulable=false", *FindKind("Node"));
  ASSERT_TRUE(matcher.ok());
  EXPECT_TRUE(matcher->Matches(Wrap(v1::Node())));
}

TEST(FieldMatcher, FindsEventsOfAnObject) {
  v1::Event event;
  event.mutable_involved_object()->set_name("web");
  const auto matcher = FieldMatcher::Parse("involvedObject.name=web", *FindKind("Event"));
  ASSERT_TRUE(matcher.ok());
  EXPECT_TRUE(matcher->Matches(Wrap(event)));
}

TEST(FieldMatcher, RefusesFieldsThatAreNotThere) {
  const std::pair<const char*, const char*> bad[] = {{"metadata.nam=web", "did you mean \"name\""},
                                                     {"spec.containers=x", "not a single value"},
                                                     {"spec.containers.name=x", "no field"},
                                                     {"metadata=x", "not a single value"},
                                                     {"metadata.name.x=1", "no field"},
                                                     {"metadata.name[x]=1", "not a single value"},
                                                     {"metadata.labels=x", "not a single value"},
                                                     {"metadata.name", "no comparison"},
                                                     {"=x", "no comparison"}};
  for (const auto& [text, sentence] : bad) {
    const auto matcher = FieldMatcher::Parse(text, *FindKind("Pod"));
    EXPECT_TRUE(absl::IsInvalidArgument(matcher.status())) << text;
    EXPECT_THAT(std::string(matcher.status().message()), testing::HasSubstr(sentence)) << text;
  }
}

}  // namespace
}  // namespace cluster
