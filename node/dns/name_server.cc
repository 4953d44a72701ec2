#include "node/dns/name_server.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace cluster::node {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(1);
// After a start, for the controller's word. A resolver asks again after five seconds.
constexpr absl::Duration kHold = absl::Seconds(2);
constexpr absl::Duration kLookAgain = absl::Milliseconds(20);
constexpr int kMostHeld = 256;
constexpr size_t kStreamBytes = 0xffff;

}  // namespace

absl::StatusOr<std::unique_ptr<NameServer>> NameServer::Start(Options options) {
  std::unique_ptr<NameServer> server(new NameServer(std::move(options)));
  ASSIGN_OR_RETURN(server->reactor_, Reactor::Start(server->options_.clock));
  server->upstream_ =
      std::make_unique<Upstream>(server->reactor_.get(), server->options_.clock,
                                 server->options_.upstreams, server->options_.upstream_port);
  return server;
}

NameServer::~NameServer() {
  if (reactor_ != nullptr) reactor_->Stop();
}

void NameServer::Serve(Ipv4 address, const Cidr& callers) {
  reactor_->Post([this, address, callers] {
    if (datagrams_ != nullptr && address == address_ && callers == callers_) return;
    address_ = address;
    callers_ = callers;
    upstream_->LeaveOut(address);
    Open();
  });
}

void NameServer::Open() {
  reactor_->Forget(retry_);
  datagrams_.reset();
  streams_.reset();
  const absl::Status opened = Listen();
  if (opened.ok()) {
    LOG_INFO("names of {} are answered on {}:{}", options_.domain, ToString(address_),
             options_.port);
  } else {
    datagrams_.reset();
    streams_.reset();
    if (opened != last_) {
      LOG_ERROR("pods find no names until this works: {}", std::string(opened.message()));
    }
    retry_ = reactor_->After(kRetry, [this] { Open(); });
  }
  last_ = opened;
}

absl::Status NameServer::Listen() {
  const auto handler = [this](const std::string& message, const NameCaller& caller,
                              const NameReply& reply) { Handle(message, caller, reply); };
  ASSIGN_OR_RETURN(datagrams_, DatagramListener::Listen(address_, options_.port, callers_, handler,
                                                        &share_, reactor_.get()));
  ASSIGN_OR_RETURN(streams_, StreamListener::Listen(address_, options_.port, callers_, handler,
                                                    &share_, reactor_.get()));
  return absl::OkStatus();
}

NameAnswer NameServer::Find(const NameQuery& query) {
  std::shared_ptr<const KnownServices> table = options_.services->table();
  if (!names_.has_value() || names_->table() != table.get()) {
    names_.emplace(std::move(table), options_.domain);
  }
  NameAnswer answer = names_->Find(query.name, query.type);
  // Most callers take the first address: each pod is that now and then.
  const auto first = std::find_if(answer.records.begin(), answer.records.end(),
                                  [](const auto& each) { return each.type != RecordType::kCname; });
  std::shuffle(first, answer.records.end(), dice_);
  return answer;
}

void NameServer::Handle(const std::string& message, const NameCaller& caller,
                        const NameReply& reply) {
  const std::optional<ReadQuery> read = ParseQuery(message);
  if (!read.has_value()) return reply("");
  if (read->code != ResponseCode::kNoError) return reply(Refuse(message, read->code));
  Answer(message, read->query, caller, reply);
}

void NameServer::Answer(const std::string& message, const NameQuery& query,
                        const NameCaller& caller, const NameReply& reply) {
  const size_t limit = caller.by_stream ? kStreamBytes : query.datagram_bytes;
  NameAnswer answer = Find(query);
  if (answer.is_stale && options_.clock->Monotonic() < started_ + kHold && held_ < kMostHeld) {
    ++held_;
    reactor_->After(kLookAgain, [this, message, query, caller, reply] {
      --held_;
      Answer(message, query, caller, reply);
    });
    return;
  }
  if (!answer.is_ours) return Forward(message, query, caller, reply);
  if (!answer.elsewhere.empty()) {
    return AskForAlias(query, caller, limit, std::make_shared<const NameAnswer>(std::move(answer)),
                       false, reply);
  }
  reply(ComposeAnswer(query, options_.domain, answer, limit));
}

void NameServer::AskForAlias(const NameQuery& query, const NameCaller& caller, size_t limit,
                             std::shared_ptr<const NameAnswer> answer, bool by_stream,
                             NameReply reply) {
  std::string question = ComposeQuery(answer->elsewhere, query.type);
  if (question.empty()) {
    NameAnswer failed = *answer;
    failed.code = ResponseCode::kServerFailure;
    return reply(ComposeAnswer(query, options_.domain, failed, limit));
  }
  upstream_->Ask(std::move(question), caller.address, by_stream,
                 [this, query, caller, limit, answer, by_stream, reply](const std::string& found) {
                   if (!found.empty() && IsTruncated(found) && !by_stream) {
                     return AskForAlias(query, caller, limit, answer, true, reply);
                   }
                   NameAnswer whole = *answer;
                   if (found.empty()) whole.code = ResponseCode::kServerFailure;
                   reply(ComposeAnswer(query, options_.domain, whole, limit, found));
                 });
}

void NameServer::Forward(const std::string& message, const NameQuery& query,
                         const NameCaller& caller, NameReply reply) {
  upstream_->Ask(message, caller.address, caller.by_stream,
                 [this, query, reply = std::move(reply)](const std::string& found) {
                   if (!found.empty()) return reply(found);
                   NameAnswer failed;
                   failed.code = ResponseCode::kServerFailure;
                   reply(ComposeAnswer(query, options_.domain, failed, kStreamBytes));
                 });
}

}  // namespace cluster::node
