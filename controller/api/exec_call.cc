#include "controller/api/exec_call.h"

#include "controller/api/lookup.h"
#include "controller/api/status.h"

namespace cluster::controller {

ExecCall::ExecCall(const Cache* cache, Sessions* sessions) : cache_(cache), sessions_(sessions) {
  StartRead(&reading_);
}

void ExecCall::OnRequest() {
  if (relay_ == nullptr) {
    if (reading_.has_start()) return Begin(reading_.start());
    return OnEnd(absl::InvalidArgumentError("the first message of an exec is start"));
  }
  Forward();
}

void ExecCall::Begin(const v1::ExecStart& start) {
  if (start.attach() && !start.command().empty()) {
    return OnEnd(absl::InvalidArgumentError("whoever attaches runs no command: leave it out"));
  }
  if (start.command().empty() && !start.attach()) {
    return OnEnd(absl::InvalidArgumentError("there is no command to run: write it after --"));
  }
  const auto target = FindPodTarget(*cache_, start.namespace_(), start.pod(), start.container(),
                                    /*must_run=*/true);
  if (!target.ok()) return OnEnd(target.status());
  relay_ = std::make_shared<Relay>(this);
  v1::OpenStream open;
  *open.mutable_exec() = start;
  open.mutable_exec()->set_container(target->container);
  open.mutable_exec()->set_namespace_(Meta(target->pod->object).namespace_());
  sessions_->Open(target->node, std::move(open), relay_);
  ReadNext();
}

void ExecCall::Forward() {
  v1::ControllerFrame frame;
  if (reading_.has_stdin()) {
    frame.set_stdin(std::move(*reading_.mutable_stdin()));
  } else if (reading_.has_resize()) {
    *frame.mutable_resize() = reading_.resize();
  } else if (reading_.stdin_eof()) {
    frame.set_stdin_eof(true);
    input_ended_ = true;
  } else {
    return ReadNext();
  }
  relay_->Send(std::move(frame));
}

void ExecCall::OnSent() { ReadNext(); }

void ExecCall::ReadNext() {
  if (ended_ || half_closed_) return;
  reading_.Clear();
  StartRead(&reading_);
}

void ExecCall::OnFrame(v1::NodeFrame frame) {
  writing_.Clear();
  if (frame.has_stdout()) {
    writing_.set_stdout(std::move(*frame.mutable_stdout()));
  } else if (frame.has_stderr()) {
    writing_.set_stderr(std::move(*frame.mutable_stderr()));
  } else if (frame.frame_case() == v1::NodeFrame::kExitCode) {
    writing_.set_exit_code(frame.exit_code());
    exit_known_ = true;
  } else {
    return relay_->ClientReady();
  }
  in_flight_ = true;
  StartWrite(&writing_);
}

void ExecCall::OnEnd(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  end_ = status;
  if (end_.ok() && !exit_known_) {
    end_ = absl::UnavailableError("the stream to the node ended before the command did");
  }
  FinishOnce();
}

void ExecCall::FinishOnce() {
  if (!ended_ || in_flight_ || finished_) return;
  finished_ = true;
  Finish(ToGrpc(end_));
}

void ExecCall::ClientGone() {
  if (relay_ != nullptr && !ended_) relay_->ClientGone();
  OnEnd(absl::CancelledError("the client is gone"));
  FinishOnce();
}

void ExecCall::OnReadDone(bool ok) {
  sessions_->relay_strand()->Post([this, ok] {
    if (ended_) return;
    if (ok) return OnRequest();
    if (relay_ == nullptr) return OnEnd(absl::InvalidArgumentError("an exec begins with start"));
    // A client that has half-closed has no more input; it still waits for the output.
    half_closed_ = true;
    if (input_ended_) return;
    input_ended_ = true;
    v1::ControllerFrame frame;
    frame.set_stdin_eof(true);
    relay_->Send(std::move(frame));
  });
}

void ExecCall::OnWriteDone(bool ok) {
  sessions_->relay_strand()->Post([this, ok] {
    in_flight_ = false;
    if (!ok) return ClientGone();
    if (ended_) return FinishOnce();
    relay_->ClientReady();
  });
}

void ExecCall::OnCancel() {
  sessions_->relay_strand()->Post([this] { ClientGone(); });
}

void ExecCall::OnDone() {
  sessions_->relay_strand()->Post([this] { delete this; });
}

}  // namespace cluster::controller
