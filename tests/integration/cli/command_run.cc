#include "command_run.h"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/context.h"
#include "cli/program.h"
#include "google/protobuf/text_format.h"

#include "base/file.h"
#include "proto/schema/kinds.h"
#include "proto/schema/reader.h"

namespace cluster::cli {

std::string SharedOutput::text() {
  const MutexLock lock(&mutex_);
  return text_;
}

void SharedOutput::Await(const std::string& part) {
  const MutexLock lock(&mutex_);
  while (!absl::StrContains(text_, part)) changed_.Wait(&mutex_);
}

int SharedOutput::sync() {
  const MutexLock lock(&mutex_);
  text_ = str();
  changed_.SignalAll();
  return 0;
}

BackgroundRun::BackgroundRun(std::string contexts_path, const Clock* clock,
                             std::vector<std::string> arguments, int input)
    : thread_([this, contexts_path = std::move(contexts_path), clock,
               arguments = std::move(arguments), input] {
        Terminal terminal;
        terminal.out = &out_stream_;
        terminal.err = &err_;
        terminal.input = input;
        Session session(terminal, clock, contexts_path);
        code_ = RunProgram(session, arguments);
      }) {}

BackgroundRun::~BackgroundRun() {
  if (thread_.joinable()) thread_.join();
}

Outcome BackgroundRun::Wait() {
  thread_.join();
  return {code_, out_.str(), err_.str()};
}

CommandTest::CommandTest() {
  std::string name = testing::TempDir() + "/cliXXXXXX";
  folder_ = mkdtemp(name.data());
  server_ = absl::StrCat("unix:", folder_.string(), "/api.sock");
  contexts_path_ = folder_ / "config/contexts.yaml";
  EXPECT_TRUE(SetCurrentContext(contexts_path_, "test", {server_}).ok());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(server_, grpc::InsecureServerCredentials());
  builder.RegisterService(&cluster_);
  grpc_server_ = builder.BuildAndStart();
}

CommandTest::~CommandTest() {
  if (grpc_server_ != nullptr) grpc_server_->Shutdown(std::chrono::system_clock::now());
  std::filesystem::remove_all(folder_);
}

Outcome CommandTest::Run(std::vector<std::string> arguments, absl::string_view input) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  // Its own thread: a pipe holds less than some inputs.
  std::thread feeder([&] {
    EXPECT_TRUE(WriteAll(writer.get(), input).ok());
    writer.reset();
  });
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal;
  terminal.out = &out;
  terminal.err = &err;
  terminal.input = reader.get();
  Session session(terminal, &clock_, contexts_path_);
  Outcome outcome;
  outcome.code = RunProgram(session, std::move(arguments));
  feeder.join();
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

std::unique_ptr<BackgroundRun> CommandTest::Start(std::vector<std::string> arguments, int input) {
  return std::make_unique<BackgroundRun>(contexts_path_, &clock_, std::move(arguments), input);
}

std::string CommandTest::Write(const std::string& name, absl::string_view text) {
  const std::filesystem::path path = folder_ / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << std::string(text);
  return path.string();
}

void CommandTest::Put(absl::string_view manifest) { PutWithStatus(manifest, ""); }

void CommandTest::PutWithStatus(absl::string_view manifest, absl::string_view status) {
  ReadResult result = ReadManifests(manifest, "test");
  for (const ReadError& error : result.errors) ADD_FAILURE() << error.ToString();
  ASSERT_EQ(result.documents.size(), 1u);
  v1::Object object = result.documents[0].object;
  if (!status.empty()) {
    auto* inner = MutableInner(&object);
    const auto* field = inner->GetDescriptor()->FindFieldByName("status");
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
        std::string(status), inner->GetReflection()->MutableMessage(inner, field)))
        << status;
  }
  const int64_t made = absl::ToUnixSeconds(clock_.Now() - absl::Minutes(3));
  MutableMeta(&object)->mutable_creation_timestamp()->set_seconds(made);
  cluster_.Put(object);
}

std::string PodManifest(const std::string& name, const std::string& node) {
  return absl::StrCat("{apiVersion: v1, kind: Pod, metadata: {name: ", name,
                      ", labels: {app: web}}, spec: {", node.empty() ? "" : "nodeName: ", node,
                      node.empty() ? "" : ", ", "containers: [{name: main, image: 'web:1'}]}}");
}

}  // namespace cluster::cli
