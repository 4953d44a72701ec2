#include <atomic>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

using NodeStream = grpc::ClientReaderWriter<v1::NodeFrame, v1::ControllerFrame>;

// Dials back and lets `speak` use the stream.
auto DialBack(std::function<void(const v1::OpenStream&, NodeStream*)> speak) {
  return [speak = std::move(speak)](const v1::OpenStream& open, v1::NodeSession::Stub* stub) {
    grpc::ClientContext context;
    const std::unique_ptr<NodeStream> stream = stub->DialBack(&context);
    v1::NodeFrame frame;
    frame.set_hello(open.stream_id());
    stream->Write(frame);
    speak(open, stream.get());
    stream->WritesDone();
    v1::ControllerFrame rest;
    while (stream->Read(&rest)) {
    }
    stream->Finish();
  };
}

class Streams : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_->Attach().ok());
    ASSERT_TRUE(cluster_.WaitForNode("node1", true));
    ASSERT_TRUE(cluster_.Apply({MakePod("a")}).ok());
    ASSERT_TRUE(cluster_.WaitFor("Pod", [](const auto& objects) {
      return objects.size() == 1 && IsReady(objects.begin()->second.pod());
    }));
  }
  void Serve(std::function<void(const v1::OpenStream&, NodeStream*)> speak) {
    FakeNode::Behaviour behaviour;
    behaviour.streams = DialBack(std::move(speak));
    node_->Behave(std::move(behaviour));
  }
  grpc::Status Logs(const std::string& pod, std::string* text, const std::string& container = "") {
    grpc::ClientContext context;
    v1::LogsRequest request;
    request.set_pod(pod);
    request.set_container(container);
    const auto reader = cluster_.api()->Logs(&context, request);
    v1::LogsResponse chunk;
    while (reader->Read(&chunk)) *text += chunk.data();
    return reader->Finish();
  }

  TestCluster cluster_;
  std::unique_ptr<FakeNode> node_ = cluster_.MakeNode("node1");
};

TEST_F(Streams, LogsComeWholeAndInOrder) {
  std::string sent;
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&sent, "line ", i, "\n");
  std::string container;
  Serve([&](const v1::OpenStream& open, NodeStream* stream) {
    container = open.logs().container();
    v1::NodeFrame frame;
    for (size_t at = 0; at < sent.size(); at += 1000) {
      frame.set_stdout(sent.substr(at, 1000));
      stream->Write(frame);
    }
  });
  std::string text;
  const grpc::Status status = Logs("a", &text);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(text, sent);
  EXPECT_EQ(container, "app");
}

TEST_F(Streams, AnErrorOfTheNodeIsTheAnswer) {
  Serve([&](const v1::OpenStream&, NodeStream* stream) {
    v1::NodeFrame frame;
    frame.mutable_error()->set_code(static_cast<int>(grpc::StatusCode::FAILED_PRECONDITION));
    frame.mutable_error()->set_message("container \"app\" has not started yet");
    stream->Write(frame);
  });
  std::string text;
  const grpc::Status status = Logs("a", &text);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find("has not started"), std::string::npos);
}

TEST_F(Streams, ANodeThatDoesNotDialIsNamed) {
  FakeNode::Behaviour deaf;
  deaf.streams = [](const v1::OpenStream&, v1::NodeSession::Stub*) {};
  node_->Behave(deaf);
  std::string text;
  const grpc::Status status = Logs("a", &text);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_NE(status.error_message().find("node1"), std::string::npos);
}

// As after a restart of its agent, or of the controller.
TEST_F(Streams, ANodeBetweenTwoSessionsIsAskedWhenItIsBack) {
  Serve([](const v1::OpenStream&, NodeStream* stream) {
    v1::NodeFrame frame;
    frame.set_stdout("hello");
    stream->Write(frame);
  });
  for (int round = 0; round < 10; ++round) {
    node_->Detach();
    std::string text;
    auto asked = std::async(std::launch::async, [&] { return Logs("a", &text); });
    ASSERT_TRUE(node_->Attach().ok());
    const grpc::Status status = asked.get();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(text, "hello");
  }
}

// The node has heard the question, or has not, and its session ends: the next one is asked.
TEST_F(Streams, WhatASessionLeftUnansweredIsAskedInTheNextButNoCommand) {
  std::atomic<int> heard = 0;
  FakeNode::Behaviour deaf;
  deaf.streams = [&](const v1::OpenStream&, v1::NodeSession::Stub*) { ++heard; };
  node_->Behave(deaf);
  std::string text;
  auto logs = std::async(std::launch::async, [&] { return Logs("a", &text); });
  auto exec = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    const auto stream = cluster_.api()->Exec(&context);
    v1::ExecRequest request;
    request.mutable_start()->set_pod("a");
    request.mutable_start()->add_command("true");
    stream->Write(request);
    v1::ExecResponse response;
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  });
  while (heard < 2) std::this_thread::yield();
  std::atomic<int> commands = 0;
  Serve([&](const v1::OpenStream& open, NodeStream* stream) {
    if (open.has_exec()) ++commands;
    v1::NodeFrame frame;
    frame.set_stdout("hello");
    stream->Write(frame);
  });
  node_->Detach();
  ASSERT_TRUE(node_->Attach().ok());
  const grpc::Status read = logs.get();
  EXPECT_TRUE(read.ok()) << read.error_message();
  EXPECT_EQ(text, "hello");
  const grpc::Status ran = exec.get();
  EXPECT_EQ(ran.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(ran.error_message().find("whether the command runs is not known"), std::string::npos)
      << ran.error_message();
  EXPECT_EQ(commands, 0);
}

TEST_F(Streams, WhatIsNotThereIsSaidSo) {
  std::string text;
  EXPECT_EQ(Logs("nobody", &text).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Logs("a", &text, "sidecar").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::Object pending = MakePod("pending");
  (*pending.mutable_pod()->mutable_spec()->mutable_node_selector())["disk"] = "ssd";
  ASSERT_TRUE(cluster_.Apply({pending}).ok());
  EXPECT_EQ(Logs("pending", &text).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  node_->Detach();
  ASSERT_TRUE(cluster_.WaitForNode("node1", false));
  EXPECT_EQ(Logs("a", &text).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Streams, ExecCarriesInputOutputAndTheExitCode) {
  // A command that answers each input with itself, and ends with its size.
  Serve([&](const v1::OpenStream& open, NodeStream* stream) {
    EXPECT_EQ(open.exec().command(0), "cat");
    v1::ControllerFrame frame;
    size_t bytes = 0;
    v1::NodeFrame answer;
    while (stream->Read(&frame) && !frame.stdin_eof()) {
      bytes += frame.stdin().size();
      answer.set_stdout(frame.stdin());
      stream->Write(answer);
    }
    answer.set_stderr("done");
    stream->Write(answer);
    answer.set_exit_code(static_cast<int32_t>(bytes % 256));
    stream->Write(answer);
  });
  grpc::ClientContext context;
  const auto stream = cluster_.api()->Exec(&context);
  v1::ExecRequest request;
  request.mutable_start()->set_pod("a");
  request.mutable_start()->add_command("cat");
  request.mutable_start()->set_stdin(true);
  ASSERT_TRUE(stream->Write(request));
  const std::string input(70'001, 'y');
  for (size_t at = 0; at < input.size(); at += 7000) {
    request.set_stdin(input.substr(at, 7000));
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  std::string out;
  std::string err;
  int exit_code = -1;
  v1::ExecResponse response;
  while (stream->Read(&response)) {
    out += response.stdout();
    err += response.stderr();
    if (response.response_case() == v1::ExecResponse::kExitCode) exit_code = response.exit_code();
  }
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(out, input);
  EXPECT_EQ(err, "done");
  EXPECT_EQ(exit_code, 70'001 % 256);
}

TEST_F(Streams, PortForwardCarriesBytesAndEndsOfBothSides) {
  // A server that answers once it has heard all.
  Serve([&](const v1::OpenStream& open, NodeStream* stream) {
    EXPECT_EQ(open.port_forward().namespace_(), "default");
    EXPECT_EQ(open.port_forward().port(), 80u);
    v1::ControllerFrame frame;
    std::string heard;
    while (stream->Read(&frame) && !frame.stdin_eof()) heard += frame.stdin();
    v1::NodeFrame answer;
    answer.set_stdout(heard + "!");
    stream->Write(answer);
    answer.set_stdout_eof(true);
    stream->Write(answer);
  });
  grpc::ClientContext context;
  const auto stream = cluster_.api()->PortForward(&context);
  v1::PortForwardRequest request;
  request.mutable_start()->set_pod("a");
  request.mutable_start()->set_port(80);
  ASSERT_TRUE(stream->Write(request));
  for (const std::string piece : {"GET ", "/"}) {
    request.set_data(piece);
    ASSERT_TRUE(stream->Write(request));
  }
  request.set_eof(true);
  ASSERT_TRUE(stream->Write(request));
  v1::PortForwardResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.data(), "GET /!");
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.eof());
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(Streams, PortForwardRefusesWhatCannotBe) {
  const auto refusal = [&](const v1::PortForwardRequest& first) {
    grpc::ClientContext context;
    const auto stream = cluster_.api()->PortForward(&context);
    stream->Write(first);
    v1::PortForwardResponse response;
    EXPECT_FALSE(stream->Read(&response));
    return stream->Finish().error_code();
  };
  v1::PortForwardRequest request;
  request.set_data("x");
  EXPECT_EQ(refusal(request), grpc::StatusCode::INVALID_ARGUMENT);
  request.mutable_start()->set_pod("a");
  EXPECT_EQ(refusal(request), grpc::StatusCode::INVALID_ARGUMENT) << "no port";
  request.mutable_start()->set_port(65536);
  EXPECT_EQ(refusal(request), grpc::StatusCode::INVALID_ARGUMENT);
  request.mutable_start()->set_port(80);
  request.mutable_start()->set_pod("nobody");
  EXPECT_EQ(refusal(request), grpc::StatusCode::NOT_FOUND);
  Serve([](const v1::OpenStream&, NodeStream* stream) {
    v1::NodeFrame frame;
    frame.mutable_error()->set_code(static_cast<int>(grpc::StatusCode::UNAVAILABLE));
    frame.mutable_error()->set_message("connection refused: nobody listens on port 80");
    stream->Write(frame);
  });
  request.mutable_start()->set_pod("a");
  EXPECT_EQ(refusal(request), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Streams, AClientThatLeavesEndsTheNodesStream) {
  std::promise<void> begun;
  std::promise<void> ended;
  Serve([&](const v1::OpenStream&, NodeStream* stream) {
    v1::ControllerFrame frame;
    if (stream->Read(&frame)) begun.set_value();
    while (stream->Read(&frame)) {
    }
    ended.set_value();
  });
  grpc::ClientContext context;
  const auto stream = cluster_.api()->Exec(&context);
  v1::ExecRequest request;
  request.mutable_start()->set_pod("a");
  request.mutable_start()->add_command("cat");
  ASSERT_TRUE(stream->Write(request));
  request.set_stdin("x");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_EQ(begun.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  context.TryCancel();
  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  stream->Finish();
}

// A client that does not read holds up the node, and nothing is lost.
TEST_F(Streams, BackPressureReachesTheNode) {
  constexpr int kFrames = 400;
  std::atomic<int> written = 0;
  Serve([&](const v1::OpenStream&, NodeStream* stream) {
    v1::NodeFrame frame;
    frame.set_stdout(std::string(64 << 10, 'z'));
    for (int i = 0; i < kFrames && stream->Write(frame); ++i) ++written;
  });
  grpc::ClientContext context;
  v1::LogsRequest request;
  request.set_pod("a");
  const auto reader = cluster_.api()->Logs(&context, request);
  v1::LogsResponse chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  // Far fewer than all fit into the windows and buffers on the way.
  EXPECT_LT(written, kFrames);
  size_t bytes = chunk.data().size();
  while (reader->Read(&chunk)) bytes += chunk.data().size();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(bytes, size_t{kFrames} * (64 << 10));
}

class Statistics : public Streams {
 protected:
  v1::StatsResponse Ask(const std::string& node = "", const std::string& name_space = "") {
    grpc::ClientContext context;
    v1::StatsRequest request;
    request.set_node(node);
    request.set_namespace_(name_space);
    v1::StatsResponse response;
    status_ = cluster_.api()->Stats(&context, request, &response);
    return response;
  }
  grpc::Status status_;
};

TEST_F(Statistics, EveryNodeIsAskedAndTheSilentOnesAreNamed) {
  const std::unique_ptr<FakeNode> other = cluster_.MakeNode("node2");
  ASSERT_TRUE(other->Attach().ok());
  ASSERT_TRUE(cluster_.WaitForNode("node2", true));
  Serve([](const v1::OpenStream& open, NodeStream* stream) {
    v1::NodeFrame frame;
    frame.mutable_stats()->set_node("node1");
    frame.mutable_stats()->add_pods()->set_namespace_(open.stats().namespace_());
    stream->Write(frame);
  });
  FakeNode::Behaviour refuses;
  refuses.streams = DialBack([](const v1::OpenStream&, NodeStream* stream) {
    v1::NodeFrame frame;
    frame.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kUnimplemented));
    stream->Write(frame);
  });
  other->Behave(std::move(refuses));
  const v1::StatsResponse all = Ask("", "here");
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  ASSERT_EQ(all.nodes_size(), 1);
  EXPECT_EQ(all.nodes(0).pods(0).namespace_(), "here") << "the question reached the node";
  ASSERT_EQ(all.unreachable_size(), 1);
  EXPECT_EQ(all.unreachable(0), "node2");
  EXPECT_EQ(Ask("node1").unreachable_size(), 0);
}

TEST_F(Statistics, AnUnknownNodeIsNotFound) {
  Ask("node9");
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace cluster::controller
