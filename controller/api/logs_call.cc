#include "controller/api/logs_call.h"

#include "controller/api/lookup.h"
#include "controller/api/status.h"

namespace cluster::controller {

LogsCall::LogsCall(const Cache* cache, Sessions* sessions, const v1::LogsRequest& request)
    : cache_(cache), sessions_(sessions), request_(request) {
  sessions_->relay_strand()->Post([this] { Begin(); });
}

void LogsCall::Begin() {
  const auto target = FindPodTarget(*cache_, request_.namespace_(), request_.pod(),
                                    request_.container(), /*must_run=*/false);
  if (!target.ok()) return OnEnd(target.status());
  request_.set_container(target->container);
  request_.set_namespace_(Meta(target->pod->object).namespace_());
  relay_ = std::make_shared<Relay>(this);
  v1::OpenStream open;
  *open.mutable_logs() = request_;
  sessions_->Open(target->node, std::move(open), relay_);
}

void LogsCall::OnFrame(v1::NodeFrame frame) {
  std::string* data = frame.has_stderr() ? frame.mutable_stderr() : frame.mutable_stdout();
  if (data->empty()) return relay_->ClientReady();
  writing_.set_data(std::move(*data));
  in_flight_ = true;
  StartWrite(&writing_);
}

void LogsCall::OnEnd(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  end_ = status;
  FinishOnce();
}

void LogsCall::FinishOnce() {
  if (!ended_ || in_flight_ || finished_) return;
  finished_ = true;
  Finish(ToGrpc(end_));
}

void LogsCall::ClientGone() {
  if (relay_ != nullptr && !ended_) relay_->ClientGone();
  OnEnd(absl::CancelledError("the client is gone"));
  FinishOnce();
}

void LogsCall::OnWriteDone(bool ok) {
  sessions_->relay_strand()->Post([this, ok] {
    in_flight_ = false;
    if (!ok) return ClientGone();
    if (ended_) return FinishOnce();
    relay_->ClientReady();
  });
}

void LogsCall::OnCancel() {
  sessions_->relay_strand()->Post([this] { ClientGone(); });
}

void LogsCall::OnDone() {
  sessions_->relay_strand()->Post([this] { delete this; });
}

}  // namespace cluster::controller
