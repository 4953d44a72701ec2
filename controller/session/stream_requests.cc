#include "controller/session/stream_requests.h"

#include <utility>

namespace cluster::controller {

void StreamRequests::Wait(const std::string& node, StreamRequest request) {
  waiting_[node].push_back(std::move(request));
}

std::vector<StreamRequest> StreamRequests::TakeWaiting(const std::string& node) {
  const auto found = waiting_.find(node);
  if (found == waiting_.end()) return {};
  std::vector<StreamRequest> requests = std::move(found->second);
  waiting_.erase(found);
  return requests;
}

void StreamRequests::Asked(const AgentLink* link, StreamRequest request, absl::Duration now) {
  Questions& questions = asked_[link];
  Forget(now, &questions);
  questions.push_back({now, std::move(request)});
}

std::vector<StreamRequest> StreamRequests::TakeAsked(const AgentLink* link, absl::Duration now) {
  const auto found = asked_.find(link);
  if (found == asked_.end()) return {};
  Forget(now, &found->second);
  std::vector<StreamRequest> requests;
  for (Question& question : found->second) requests.push_back(std::move(question.request));
  asked_.erase(found);
  return requests;
}

void StreamRequests::Forget(absl::Duration now, Questions* questions) const {
  while (!questions->empty() && questions->front().at + timeout_ < now) questions->pop_front();
}

}  // namespace cluster::controller
