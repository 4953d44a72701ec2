#include "controller/server/server.h"

#include <unistd.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "grpcpp/server_builder.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/object/object_fields.h"
#include "controller/server/credentials.h"
#include "proto/schema/kinds.h"
#include "proto/schema/system_priorities.h"
#include "proto/validate/validate.h"

namespace cluster::controller {
namespace {

using External = grpc::experimental::ExternalConnectionAcceptor;

void SetLimits(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(5 << 20);
  builder->SetMaxSendMessageSize(-1);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8 << 10);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 256);
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

std::unique_ptr<External> AddAcceptor(grpc::ServerBuilder* builder) {
  return builder->experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      ConnectionCredentials());
}

Acceptor::Accepted HandTo(std::unique_ptr<External> external) {
  return [external = std::shared_ptr<External>(std::move(external))](UniqueFd connection) {
    External::NewConnectionParameters parameters;
    parameters.listener_fd = -1;
    parameters.fd = connection.release();
    external->HandleNewConnection(&parameters);
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(std::unique_ptr<store::Store> store,
                                                      ServerOptions options) {
  auto server = std::unique_ptr<Server>(new Server(std::move(options)));
  server->store_ = std::move(store);
  RETURN_IF_ERROR(server->Build());
  RETURN_IF_ERROR(server->Serve());
  return server;
}

absl::Status Server::Build() {
  store::Store* store = store_.get();
  const Clock* clock = options_.clock;
  ASSIGN_OR_RETURN(const ServiceRanges service_ranges,
                   ParseServiceRanges(options_.service_cidr, options_.node_ports,
                                      options_.sessions.cluster_cidr));
  RETURN_IF_ERROR(MakeNamespace());
  RETURN_IF_ERROR(MakePriorityClasses());
  compactor_ = std::make_unique<store::Compactor>(store, clock);
  ASSIGN_OR_RETURN(cache_, Cache::Start(store));
  ASSIGN_OR_RETURN(events_, EventRecorder::Start(store, clock));
  Sessions::Parts sessions{store,
                           cache_.get(),
                           clock,
                           absl::StrCat(options_.state_dir, "/images"),
                           [this](v1::Event event) { events_->Note(std::move(event)); },
                           [this] { WakeLoop(); }};
  SessionOptions session_options = options_.sessions;
  session_options.service_cidr = options_.service_cidr;
  ASSIGN_OR_RETURN(sessions_, Sessions::Make(std::move(sessions), std::move(session_options)));
  usage_ = std::make_unique<UsageCollector>(
      UsageCollector::Parts{cache_.get(), sessions_.get(), clock, [this] { WakeLoop(); }},
      options_.autoscale_period);
  Loop::Parts loop{store,
                   cache_.get(),
                   clock,
                   events_.get(),
                   [this] { return sessions_->Contacts(); },
                   [this](const View& view) { return usage_->Follow(view); },
                   options_.fatal};
  ASSIGN_OR_RETURN(loop_, Loop::Start(std::move(loop), options_.loop));
  {
    MutexLock lock(&mutex_);
    to_wake_ = loop_.get();
  }
  ASSIGN_OR_RETURN(
      api_, ClusterService::Make({store, cache_.get(), sessions_.get(), clock, service_ranges},
                                 options_.version, options_.loop.scheduler));
  return absl::OkStatus();
}

void Server::WakeLoop() {
  MutexLock lock(&mutex_);
  if (to_wake_ != nullptr) to_wake_->Wake();
}

absl::Status Server::MakeNamespace() {
  v1::Object object = NewObject(*FindKind("Namespace"));
  MutableMeta(&object)->set_name("default");
  object.mutable_namespace_()->mutable_status()->set_phase("Active");
  return Make(std::move(object));
}

absl::Status Server::MakePriorityClasses() {
  for (const SystemPriority& each : kSystemPriorities) {
    v1::Object object = NewObject(*FindKind("PriorityClass"));
    MutableMeta(&object)->set_name(std::string(each.name));
    object.mutable_priority_class()->set_value(each.value);
    object.mutable_priority_class()->set_description(std::string(each.description));
    SetDefaults(&object);
    RETURN_IF_ERROR(Make(std::move(object)));
  }
  return absl::OkStatus();
}

absl::Status Server::Make(v1::Object object) {
  v1::ObjectMeta* meta = MutableMeta(&object);
  meta->set_uid(DerivedUid(RandomId(), meta->name()));
  meta->set_generation(1);
  SetTime(options_.clock->Now(), meta->mutable_creation_timestamp());
  store::Txn txn;
  txn.conds.push_back({Key(object), 0});
  txn.ops.push_back({store::Op::Kind::kPut, Key(object), SerializeObject(object), 0});
  const absl::Status made = store_->SubmitAndWait(std::move(txn)).status;
  if (absl::IsAborted(made)) return absl::OkStatus();
  return Annotate(made, absl::StrCat(DisplayName(object), " cannot be made"));
}

absl::Status Server::Serve() {
  grpc::ServerBuilder builder;
  SetLimits(&builder);
  builder.RegisterService(api_.get());
  builder.RegisterService(sessions_->service());
  ASSIGN_OR_RETURN(UniqueFd unix_listener, ListenUnix(options_.socket));
  std::unique_ptr<External> unix_external = AddAcceptor(&builder);
  UniqueFd tcp_listener;
  std::unique_ptr<External> tcp_external;
  if (!options_.listen.empty()) {
    ASSIGN_OR_RETURN(tcp_listener, ListenTcp(options_.listen));
    tcp_address_ = LocalAddress(tcp_listener.get());
    tcp_external = AddAcceptor(&builder);
    LOG_WARN("{} is open: until certificates exist, everyone who reaches it rules the cluster",
             tcp_address_);
  }
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr) return absl::InternalError("gRPC does not start: see its log above");
  ASSIGN_OR_RETURN(acceptors_.emplace_back(),
                   Acceptor::Start(std::move(unix_listener), /*only_own_user=*/true,
                                   HandTo(std::move(unix_external))));
  if (tcp_listener) {
    ASSIGN_OR_RETURN(acceptors_.emplace_back(),
                     Acceptor::Start(std::move(tcp_listener), /*only_own_user=*/false,
                                     HandTo(std::move(tcp_external))));
  }
  return absl::OkStatus();
}

Server::~Server() {
  acceptors_.clear();
  if (grpc_ != nullptr) {
    unlink(options_.socket.c_str());
    grpc_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    grpc_->Wait();
  }
  {
    MutexLock lock(&mutex_);
    to_wake_ = nullptr;
  }
  if (api_ != nullptr) api_->Stop();
  if (loop_ != nullptr) loop_->Stop();
  if (sessions_ != nullptr) sessions_->Stop();
  if (events_ != nullptr) events_->Stop();
  compactor_.reset();
  AwaitStore();
  // Against the order of construction.
  api_.reset();
  loop_.reset();
  usage_.reset();
  sessions_.reset();
  events_.reset();
  cache_.reset();
}

// The store answers in the order in which it was asked: once it refuses this, nothing is on its
// way.
void Server::AwaitStore() {
  if (store_ == nullptr) return;
  store::Txn never;
  never.conds.push_back({"none", /*mod_rev=*/1});
  never.ops.push_back({store::Op::Kind::kDelete, "none", "", 0});
  (void)store_->SubmitAndWait(std::move(never));
}

}  // namespace cluster::controller
