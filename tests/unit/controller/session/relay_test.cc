#include "controller/session/relay.h"

#include <future>
#include <optional>

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

struct Client : RelayClient {
  void OnFrame(v1::NodeFrame frame) override { frames.push_back(std::move(frame)); }
  void OnSent() override { ++sent; }
  void OnEnd(const absl::Status& status) override { end = status; }
  std::vector<v1::NodeFrame> frames;
  int sent = 0;
  std::optional<absl::Status> end;
};

struct Node : RelayNode {
  void Write(v1::ControllerFrame frame) override { written.push_back(std::move(frame)); }
  void Read() override { ++reads; }
  void End(const absl::Status& status) override { end = status; }
  std::vector<v1::ControllerFrame> written;
  int reads = 0;
  std::optional<absl::Status> end;
};

v1::ControllerFrame Stdin(const std::string& text) {
  v1::ControllerFrame frame;
  frame.set_stdin(text);
  return frame;
}

v1::NodeFrame Stdout(const std::string& text) {
  v1::NodeFrame frame;
  frame.set_stdout(text);
  return frame;
}

TEST(Relay, NothingIsReadBeforeTheOtherEndHasTakenIt) {
  Client client;
  Node node;
  Relay relay(&client);
  relay.Attach(&node);
  EXPECT_EQ(node.reads, 1);
  relay.OnNodeFrame(Stdout("a"));
  EXPECT_EQ(node.reads, 1);
  relay.ClientReady();
  EXPECT_EQ(node.reads, 2);
}

TEST(Relay, InputWaitsForTheNode) {
  Client client;
  Node node;
  Relay relay(&client);
  relay.Send(Stdin("early"));
  EXPECT_EQ(client.sent, 0);
  relay.Attach(&node);
  ASSERT_EQ(node.written.size(), 1u);
  EXPECT_EQ(node.written[0].stdin(), "early");
  relay.NodeReady();
  EXPECT_EQ(client.sent, 1);
}

TEST(Relay, AnErrorOfTheNodeEndsBoth) {
  Client client;
  Node node;
  Relay relay(&client);
  relay.Attach(&node);
  v1::NodeFrame frame;
  frame.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
  frame.mutable_error()->set_message("no such container");
  relay.OnNodeFrame(frame);
  EXPECT_EQ(client.end, absl::NotFoundError("no such container"));
  EXPECT_TRUE(node.end.has_value());
  // What still comes touches nobody.
  relay.OnNodeFrame(Stdout("late"));
  relay.NodeGone(absl::OkStatus());
  EXPECT_TRUE(client.frames.empty());
}

TEST(Relay, AClientThatLeavesEndsTheNode) {
  Client client;
  Node node;
  Relay relay(&client);
  relay.Attach(&node);
  relay.ClientGone();
  EXPECT_TRUE(node.end.has_value());
  EXPECT_TRUE(relay.over());
  relay.OnNodeFrame(Stdout("late"));
  EXPECT_FALSE(client.end.has_value());
}

TEST(RelayBoard, AnIdIsGoodOnceAndOnlyForAWhile) {
  Strand strand("test");
  Client client;
  std::promise<void> over;
  struct Ending : Client {
    explicit Ending(std::promise<void>* done) : done_(done) {}
    void OnEnd(const absl::Status& status) override {
      Client::OnEnd(status);
      done_->set_value();
    }
    std::promise<void>* done_;
  } late(&over);
  RelayBoard board(&strand, absl::Milliseconds(20));
  std::promise<void> checked;
  strand.Post([&] {
    auto relay = std::make_shared<Relay>(&client);
    const std::string id = board.Expect("node1", relay);
    EXPECT_EQ(board.Take(id), relay);
    EXPECT_EQ(board.Take(id), nullptr);
    board.Expect("node1", std::make_shared<Relay>(&late));
    checked.set_value();
  });
  checked.get_future().wait();
  over.get_future().wait();
  strand.Stop();
  EXPECT_EQ(late.end->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(client.end.has_value());
}

}  // namespace
}  // namespace cluster::controller
