#include "node/services/route_applier.h"

#include <latch>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;

std::shared_ptr<const KnownServices> Table(const std::string& cidr) {
  auto table = std::make_shared<KnownServices>();
  table->service_cidr = cidr;
  return table;
}

TEST(RouteApplierTest, SaysWhenTheKernelGoesByATable) {
  std::vector<std::string> applied;
  RouteApplier applier(
      [&applied](const KnownServices& table) {
        applied.push_back(table.service_cidr);
        return absl::OkStatus();
      },
      nullptr);
  std::latch first(1);
  applier.Submit(Table("1"), [&first] { first.count_down(); });
  first.wait();
  std::latch second(1);
  applier.Submit(Table("2"), [&second] { second.count_down(); });
  second.wait();
  EXPECT_THAT(applied, ElementsAre("1", "2"));
}

TEST(RouteApplierTest, LeavesOutWhatANewerTableFollows) {
  std::latch begun(1);
  std::latch go_on(1);
  std::vector<std::string> applied;
  std::vector<std::string> told;
  RouteApplier applier(
      [&](const KnownServices& table) {
        applied.push_back(table.service_cidr);
        if (applied.size() == 1) {
          begun.count_down();
          go_on.wait();
        }
        return absl::OkStatus();
      },
      nullptr);
  std::latch last(1);
  applier.Submit(Table("1"), [&told] { told.push_back("1"); });
  begun.wait();
  applier.Submit(Table("2"), [&told] { told.push_back("2"); });
  applier.Submit(Table("3"), [&] {
    told.push_back("3");
    last.count_down();
  });
  go_on.count_down();
  last.wait();
  EXPECT_THAT(applied, ElementsAre("1", "3"));
  EXPECT_THAT(told, ElementsAre("1", "3"));
}

TEST(RouteApplierTest, TriesAgainWhatTheKernelRefused) {
  int tries = 0;
  RouteApplier applier(
      [&tries](const KnownServices&) {
        return ++tries < 2 ? absl::InternalError("no") : absl::OkStatus();
      },
      nullptr);
  std::latch done(1);
  applier.Submit(Table("1"), [&done] { done.count_down(); });
  done.wait();
  EXPECT_EQ(tries, 2);
}

// Runs what is due when it is told to; its time stands still.
class Standstill : public Executor {
 public:
  int64_t Begin() override { return 1; }
  void Post(int64_t, absl::Duration delay, Task task) override {
    if (delay == absl::ZeroDuration()) due_.push_back(std::move(task));
  }
  void Call(int64_t, const Task& task) override { task(); }
  void End(int64_t) override { due_.clear(); }
  bool IsCurrent(int64_t) const override { return false; }
  void RunDue() {
    for (const Task& task : std::exchange(due_, {})) task();
  }

 private:
  std::vector<Task> due_;
};

TEST(RouteApplierTest, ANewerTableDoesNotWaitForTheRetryOfAnOlder) {
  Standstill executor;
  std::vector<std::string> told;
  RouteApplier applier(
      [](const KnownServices& table) {
        return table.service_cidr == "1" ? absl::InternalError("no") : absl::OkStatus();
      },
      &executor);
  applier.Submit(Table("1"), [&told] { told.push_back("1"); });
  executor.RunDue();
  applier.Submit(Table("2"), [&told] { told.push_back("2"); });
  executor.RunDue();
  EXPECT_THAT(told, ElementsAre("2"));
}

}  // namespace
}  // namespace cluster::node
