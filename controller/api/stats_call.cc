#include "controller/api/stats_call.h"

#include <algorithm>

#include "controller/api/lookup.h"
#include "controller/api/status.h"
#include "controller/reconcile/conditions.h"

namespace cluster::controller {

StatsCall::StatsCall(const Cache* cache, Sessions* sessions, const v1::StatsRequest& request,
                     v1::StatsResponse* response)
    : cache_(cache), sessions_(sessions), request_(request), response_(response) {
  sessions_->relay_strand()->Post([this] { Begin(); });
}

void StatsCall::Begin() {
  if (finished_) return;
  if (!request_.node().empty()) {
    const auto node = FindObject(*cache_, "Node", "", request_.node());
    if (!node.ok()) {
      finished_ = true;
      return Finish(ToGrpc(node.status()));
    }
  }
  cache_->Read([this](const View& view) {
    for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
      const v1::Node& node = entry->object.node();
      if (!request_.node().empty() && node.metadata().name() != request_.node()) continue;
      if (IsTrue(node.status().conditions(), "Ready")) {
        const std::string& name = node.metadata().name();
        questions_.push_back(std::make_unique<StatsQuestion>(
            name,
            [this, name](std::optional<v1::NodeStats> answer) { Take(name, std::move(answer)); }));
      } else {
        response_->add_unreachable(node.metadata().name());
      }
    }
  });
  open_ = questions_.size() + 1;
  for (const auto& question : questions_) question->Ask(sessions_, request_);
  OnOver();
}

void StatsCall::Take(const std::string& node, std::optional<v1::NodeStats> answer) {
  if (finished_) return;
  if (answer.has_value()) {
    *response_->add_nodes() = *std::move(answer);
  } else {
    response_->add_unreachable(node);
  }
  OnOver();
}

void StatsCall::OnOver() {
  if (--open_ > 0 || finished_) return;
  finished_ = true;
  auto* nodes = response_->mutable_nodes();
  std::sort(nodes->begin(), nodes->end(),
            [](const auto& a, const auto& b) { return a.node() < b.node(); });
  std::sort(response_->mutable_unreachable()->begin(), response_->mutable_unreachable()->end());
  Finish(grpc::Status::OK);
}

void StatsCall::OnCancel() {
  sessions_->relay_strand()->Post([this] {
    for (const auto& question : questions_) question->GiveUp();
    if (finished_) return;
    finished_ = true;
    Finish(grpc::Status::CANCELLED);
  });
}

void StatsCall::OnDone() {
  sessions_->relay_strand()->Post([this] { delete this; });
}

}  // namespace cluster::controller
