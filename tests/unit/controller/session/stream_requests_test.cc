#include "controller/session/stream_requests.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

StreamRequest Request(const std::string& id) {
  StreamRequest request;
  request.open.set_stream_id(id);
  return request;
}

std::vector<std::string> Ids(const std::vector<StreamRequest>& requests) {
  std::vector<std::string> ids;
  for (const StreamRequest& request : requests) ids.push_back(request.open.stream_id());
  return ids;
}

TEST(StreamRequests, WaitForTheirOwnNodeInOrder) {
  StreamRequests requests(absl::Seconds(10));
  requests.Wait("node1", Request("a"));
  requests.Wait("node2", Request("b"));
  requests.Wait("node1", Request("c"));
  EXPECT_THAT(Ids(requests.TakeWaiting("node1")), ElementsAre("a", "c"));
  EXPECT_THAT(Ids(requests.TakeWaiting("node1")), IsEmpty());
  EXPECT_THAT(Ids(requests.TakeWaiting("node2")), ElementsAre("b"));
}

TEST(StreamRequests, WhatWasAskedLongAgoIsNotLeftToAnyone) {
  StreamRequests requests(absl::Seconds(10));
  const auto* one = reinterpret_cast<const AgentLink*>(&requests);
  const auto* other = reinterpret_cast<const AgentLink*>(&one);
  requests.Asked(one, Request("old"), absl::Seconds(100));
  requests.Asked(one, Request("new"), absl::Seconds(105));
  requests.Asked(other, Request("elsewhere"), absl::Seconds(105));
  EXPECT_THAT(Ids(requests.TakeAsked(one, absl::Seconds(111))), ElementsAre("new"));
  EXPECT_THAT(Ids(requests.TakeAsked(one, absl::Seconds(111))), IsEmpty());
  EXPECT_THAT(Ids(requests.TakeAsked(other, absl::Seconds(115))), ElementsAre("elsewhere"));
}

}  // namespace
}  // namespace cluster::controller
