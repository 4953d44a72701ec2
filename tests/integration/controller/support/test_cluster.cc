#include "tests/integration/controller/support/test_cluster.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"

#include "controller/object/object_fields.h"
#include "controller/store/sqlite_store.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

std::string MakeDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "cluster-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) abort();
  return name;
}

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
}

}  // namespace

SessionOptions FastSessions() {
  SessionOptions options;
  options.beat = absl::Milliseconds(200);
  options.margin = absl::Milliseconds(200);
  options.hold = absl::Milliseconds(5);
  options.dial_back_timeout = absl::Milliseconds(500);
  return options;
}

TestCluster::TestCluster(Backend backend, SessionOptions sessions, const Clock* clock)
    : backend_(backend),
      sessions_(std::move(sessions)),
      clock_(clock),
      directory_(MakeDirectory()) {
  Start();
}

TestCluster::~TestCluster() {
  Stop();
  std::filesystem::remove_all(directory_);
}

void TestCluster::Start() {
  std::unique_ptr<store::Store> store;
  if (backend_ == Backend::kMemory) {
    auto memory = store::MemoryStore::Make();
    memory_ = memory.get();
    store = std::move(memory);
  } else {
    store::SqliteOptions options;
    options.path = directory_ + "/store.db";
    auto sqlite = store::SqliteStore::Open(options);
    ASSERT_TRUE(sqlite.ok()) << sqlite.status();
    store = std::move(sqlite).value();
  }
  ServerOptions options;
  options.state_dir = directory_;
  options.socket = socket();
  options.listen = "127.0.0.1:0";
  options.version = "test";
  options.sessions = sessions_;
  options.clock = clock_;
  options.autoscale_period = absl::Seconds(1);
  // Another one at each start: the same would make the same uids again.
  options.loop.seed = ++seed_;
  auto server = Server::Start(std::move(store), std::move(options));
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = std::move(server).value();
  api_ = v1::Cluster::NewStub(Channel());
}

void TestCluster::Stop() {
  api_.reset();
  server_.reset();
  memory_ = nullptr;
}

void TestCluster::Restart() {
  Stop();
  Start();
}

std::shared_ptr<grpc::Channel> TestCluster::Channel() const {
  grpc::ChannelArguments arguments;
  // Each channel is a connection of its own, as each process has.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  return grpc::CreateCustomChannel("unix:" + socket(), grpc::InsecureChannelCredentials(),
                                   arguments);
}

std::unique_ptr<FakeNode> TestCluster::MakeNode(const std::string& name) const {
  return std::make_unique<FakeNode>(Channel(), name);
}

std::unique_ptr<FakeNode> TestCluster::MakeRemoteNode(const std::string& name) const {
  return std::make_unique<FakeNode>(
      grpc::CreateChannel(server_->tcp_address(), grpc::InsecureChannelCredentials()), name);
}

grpc::Status TestCluster::Apply(const std::vector<v1::Object>& objects, v1::ApplyResponse* response,
                                const std::string& write_id) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::ApplyRequest request;
  for (const v1::Object& object : objects) *request.add_objects() = object;
  request.set_write_id(write_id);
  v1::ApplyResponse ignored;
  return api_->Apply(&context, request, response == nullptr ? &ignored : response);
}

grpc::Status TestCluster::Delete(const std::string& kind, const std::string& name,
                                 std::optional<int64_t> grace) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::DeleteRequest request;
  request.set_kind(kind);
  request.set_name(name);
  if (grace.has_value()) request.set_grace_period_seconds(*grace);
  v1::DeleteResponse response;
  return api_->Delete(&context, request, &response);
}

grpc::Status TestCluster::Get(const std::string& kind, const std::string& name, v1::Object* object,
                              const std::string& name_space) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::GetRequest request;
  request.set_kind(kind);
  request.set_namespace_(name_space);
  request.set_name(name);
  v1::GetResponse response;
  const grpc::Status status = api_->Get(&context, request, &response);
  *object = response.object();
  return status;
}

std::vector<v1::Object> TestCluster::List(const std::string& kind, const std::string& labels,
                                          const std::string& fields) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::ListRequest request;
  request.set_kind(kind);
  request.set_label_selector(labels);
  request.set_field_selector(fields);
  v1::ListResponse response;
  const grpc::Status status = api_->List(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return {response.objects().begin(), response.objects().end()};
}

bool TestCluster::WaitFor(
    const std::string& kind,
    const std::function<bool(const std::map<std::string, v1::Object>&)>& condition) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::WatchRequest request;
  request.set_kind(kind);
  // Also tells when there is nothing.
  request.set_bookmarks(true);
  const auto reader = api_->Watch(&context, request);
  std::map<std::string, v1::Object> objects;
  v1::WatchEvent event;
  bool complete = false;
  while (reader->Read(&event)) {
    if (event.type() == v1::WATCH_EVENT_TYPE_DELETED) {
      objects.erase(Key(event.object()));
    } else if (event.type() != v1::WATCH_EVENT_TYPE_BOOKMARK) {
      objects[Key(event.object())] = event.object();
    }
    complete |= event.revision() > 0;
    if (complete && condition(objects)) {
      context.TryCancel();
      return true;
    }
  }
  return false;
}

bool TestCluster::WaitForReady(const std::string& app, int pods) {
  return WaitFor("Pod", [&](const std::map<std::string, v1::Object>& objects) {
    int ready = 0;
    for (const auto& [key, object] : objects) {
      const auto& labels = object.pod().metadata().labels();
      const auto found = labels.find("app");
      if (found == labels.end() || found->second != app) continue;
      if (object.pod().metadata().has_deletion_timestamp()) continue;
      if (object.pod().status().phase() == v1::POD_PHASE_RUNNING && IsReady(object.pod())) ++ready;
    }
    return ready == pods;
  });
}

bool TestCluster::WaitForNode(const std::string& name, bool ready) {
  return WaitFor("Node", [&](const std::map<std::string, v1::Object>& objects) {
    const auto found = objects.find("nodes/" + name);
    return found != objects.end() && NodeIsReady(found->second.node()) == ready;
  });
}

}  // namespace cluster::controller
