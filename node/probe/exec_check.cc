#include "node/probe/exec_check.h"

#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace cluster::node {
namespace {

// As much of what a command writes is kept to be told; the rest is read and forgotten.
constexpr size_t kMostOutput = 10 << 10;

bool IsReadable(int fd) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, 0) == 1;
}

}  // namespace

ExecCheck::ExecCheck(ExecAction action, CheckPurpose purpose, std::string pod_uid,
                     std::string container, Runtime* runtime)
    : action_(std::move(action)),
      purpose_(purpose),
      pod_uid_(std::move(pod_uid)),
      container_(std::move(container)),
      runtime_(runtime) {}

ExecCheck::~ExecCheck() {
  if (process_ != nullptr) process_->Kill();
  if (handover_ == nullptr) return;
  MutexLock lock(&handover_->mutex);
  handover_->abandoned = true;
  if (handover_->process.has_value() && handover_->process->ok()) (**handover_->process)->Kill();
}

void ExecCheck::Begin(CheckContext& context) {
  handover_ = std::make_shared<Handover>();
  ExecSpec spec;
  spec.pod_uid = pod_uid_;
  spec.container = container_;
  spec.argv = action_.argv;
  spec.group = purpose_ == CheckPurpose::kProbe ? kProbeGroup : kHookGroup;
  context.Offload([spec, runtime = runtime_, handover = handover_, wake = context.Waker()] {
    {
      MutexLock lock(&handover->mutex);
      if (handover->abandoned) return;
    }
    absl::StatusOr<std::unique_ptr<ExecProcess>> process = runtime->Exec(spec);
    {
      MutexLock lock(&handover->mutex);
      if (handover->abandoned) {
        if (process.ok()) (*process)->Kill();
        return;
      }
      handover->process = std::move(process);
    }
    wake();
  });
}

std::optional<ProbeOutcome> ExecCheck::Adopt(CheckContext& context) {
  absl::StatusOr<std::unique_ptr<ExecProcess>> process = absl::UnavailableError("not started yet");
  {
    MutexLock lock(&handover_->mutex);
    if (!handover_->process.has_value()) return std::nullopt;
    process = *std::move(handover_->process);
    handover_->process.reset();
  }
  if (!process.ok()) {
    return ProbeOutcome{Verdict::kUnknown, std::string(process.status().message())};
  }
  process_ = *std::move(process);
  for (const int fd : {process_->stdout_fd.get(), process_->stderr_fd.get(), process_->end_fd()}) {
    const absl::Status watched = context.Watch(fd);
    if (!watched.ok()) return ProbeOutcome{Verdict::kUnknown, std::string(watched.message())};
  }
  return std::nullopt;
}

void ExecCheck::ReadOutput() {
  for (UniqueFd* fd : {&process_->stdout_fd, &process_->stderr_fd}) {
    char piece[4096];
    while (fd->valid()) {
      const ssize_t got = ::read(fd->get(), piece, sizeof piece);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) {
        fd->reset();
        break;
      }
      const size_t room = kMostOutput - output_.size();
      output_.append(piece, std::min(room, static_cast<size_t>(got)));
    }
  }
}

std::optional<ProbeOutcome> ExecCheck::Judge() {
  const absl::StatusOr<int> code = process_->Wait();
  // What it wrote before it ended is in the pipes by now.
  ReadOutput();
  // A probe takes all that it started with it; what a hook leaves running was meant to.
  if (purpose_ == CheckPurpose::kProbe) process_->Kill();
  process_.reset();
  if (!code.ok()) return ProbeOutcome{Verdict::kUnknown, std::string(code.status().message())};
  if (*code == 0) return ProbeOutcome{Verdict::kSuccess, ""};
  std::string message = absl::StrCat("command \"", absl::StrJoin(action_.argv, " "),
                                     "\" ended with exit code ", *code);
  const absl::string_view said = absl::StripTrailingAsciiWhitespace(output_);
  if (!said.empty()) absl::StrAppend(&message, ": ", said);
  return ProbeOutcome{Verdict::kFailure, std::move(message)};
}

std::optional<ProbeOutcome> ExecCheck::Step(CheckContext& context) {
  if (handover_ == nullptr) {
    Begin(context);
    return std::nullopt;
  }
  if (process_ == nullptr) {
    std::optional<ProbeOutcome> refused = Adopt(context);
    if (refused.has_value() || process_ == nullptr) return refused;
  }
  if (IsReadable(process_->end_fd())) return Judge();
  ReadOutput();
  return std::nullopt;
}

ProbeOutcome ExecCheck::Overdue() const {
  const std::string command = absl::StrCat("command \"", absl::StrJoin(action_.argv, " "), "\"");
  // Others were in its way, or the pod's keeper: that says nothing about the container.
  if (process_ == nullptr) return {Verdict::kUnknown, command + " could not be started in time"};
  return {Verdict::kFailure, command + " timed out"};
}

}  // namespace cluster::node
