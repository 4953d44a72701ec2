#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gmock/gmock.h"

#include "base/file.h"
#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;

class AttachTest : public CommandTest {
 protected:
  AttachTest() { PutWithStatus(PodManifest("web-1"), kReady); }

  static std::string PodWithTerminal() {
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: shell}\nspec:\n  nodeName: node1\n"
           "  containers: [{name: main, image: web, stdin: true, tty: true}]\n";
  }
};

TEST_F(AttachTest, JoinsTheContainerWithoutACommand) {
  const Outcome outcome = Run({"attach", "-i", "pod/web-1", "-c", "main"}, "typed");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "typed");
  EXPECT_TRUE(cluster_.last_exec().attach());
  EXPECT_TRUE(cluster_.last_exec().stdin());
  EXPECT_TRUE(cluster_.last_exec().command().empty());
}

TEST_F(AttachTest, SaysWhenTheContainerHasNoTerminal) {
  const Outcome outcome = Run({"attach", "-it", "web-1"}, "x");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("container main did not allocate one"));
  EXPECT_FALSE(cluster_.last_exec().tty());
}

TEST_F(AttachTest, TwoKeysLeaveTheTerminal) {
  PutWithStatus(PodWithTerminal(), kReady);
  const UniqueFd controller(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(grantpt(controller.get()), 0);
  ASSERT_EQ(unlockpt(controller.get()), 0);
  const UniqueFd terminal(open(ptsname(controller.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal.valid());
  const auto run = Start({"attach", "-it", "shell"}, terminal.get());
  ASSERT_TRUE(WriteAll(controller.get(), "hello").ok());
  run->out().Await("hello");
  ASSERT_TRUE(WriteAll(controller.get(), "\x10").ok());
  ASSERT_TRUE(WriteAll(controller.get(), "\x11").ok());
  EXPECT_EQ(run->Wait().code, 0);
}

TEST_F(AttachTest, RunMakesAPodOfOneContainer) {
  const Outcome outcome =
      Run({"run", "tool", "--image", "web:1", "--env", "A=b=c", "--labels", "tier=x", "--port",
           "80", "--restart", "Never", "--", "one", "--two"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "pod/tool created\n");
  const v1::Pod pod = cluster_.Stored("pods/default/tool").pod();
  EXPECT_EQ(pod.metadata().labels().at("run"), "tool");
  EXPECT_EQ(pod.metadata().labels().at("tier"), "x");
  EXPECT_EQ(pod.spec().restart_policy(), v1::RESTART_POLICY_NEVER);
  const v1::Container& container = pod.spec().containers(0);
  EXPECT_EQ(container.image(), "web:1");
  EXPECT_THAT(container.args(), testing::ElementsAre("one", "--two"));
  EXPECT_EQ(container.env(0).value(), "b=c");
  EXPECT_EQ(container.ports(0).container_port(), 80);
  EXPECT_FALSE(container.stdin());

  const Outcome again = Run({"run", "tool", "--image", "web:1"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("pod tool exists"));
}

TEST_F(AttachTest, RunJoinsWhatItMadeAndRemovesIt) {
  const UniqueFd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto run = Start({"run", "tool", "-i", "--rm", "--restart=Never", "--image", "web:1",
                          "--command", "--", "cat"},
                         nothing.get());
  cluster_.AwaitWatches(1);
  v1::Object object = cluster_.Stored("pods/default/tool");
  ASSERT_EQ(object.pod().spec().containers_size(), 1) << run->Wait().err;
  EXPECT_TRUE(object.pod().spec().containers(0).stdin());
  EXPECT_TRUE(object.pod().spec().containers(0).stdin_once());
  EXPECT_THAT(object.pod().spec().containers(0).command(), testing::ElementsAre("cat"));
  object.mutable_pod()->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
  object.mutable_pod()
      ->mutable_status()
      ->add_container_statuses()
      ->mutable_state()
      ->mutable_running();
  cluster_.Put(object);
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "pod \"tool\" deleted\n");
  EXPECT_TRUE(cluster_.last_exec().attach());
}

TEST_F(AttachTest, Refusals) {
  EXPECT_EQ(Run({"attach"}).code, 2);
  EXPECT_EQ(Run({"run", "tool"}).code, 2);
  EXPECT_EQ(Run({"run", "tool", "--image", "web", "--rm"}).code, 2);
  EXPECT_EQ(Run({"run", "tool", "--image", "web", "--restart", "Sometimes"}).code, 2);
  EXPECT_EQ(Run({"run", "tool", "--image", "web", "--env", "novalue"}).code, 2);
}

}  // namespace
}  // namespace cluster::cli
