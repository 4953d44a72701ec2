#include "node/pod/pod_workers.h"

#include <stdlib.h>

#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "node/runtime/fake_runtime.h"
#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

// Workers on a pretended machine in real time, with what they report.
class PodWorkersTest : public testing::Test {
 protected:
  PodWorkersTest() : directory_(MakeDirectory()), machine_(RealClock(), directory_ + "/logs") {
    StartWorkers();
  }
  // On the records that are there.
  void StartWorkers() {
    workers_.reset();
    records_.reset();
    records_ = RecordStore::Open(directory_ + "/agent").value();
    PodWorld world;
    world.runtime = &runtime_;
    world.records = records_.get();
    world.clock = RealClock();
    world.boot_id = "boot-1";
    world.node_name = "node1";
    world.find_image = [](const std::string&) -> absl::StatusOr<ImageRecord> {
      ImageRecord image;
      image.config.cmd = {"run"};
      return image;
    };
    world.resolv_conf = [] { return ""; };
    world.name_server = [] { return "10.64.0.1"; };
    world.publish = [this](v1::PodStatusUpdate update) {
      MutexLock lock(&mutex_);
      std::string uid = update.uid();
      last_[std::move(uid)] = std::move(update);
      changed_.SignalAll();
    };
    world.emit = [](v1::Event) {};
    workers_ = std::make_unique<PodWorkers>(std::move(world), WorkersOptions{.threads = 4});
    workers_->SetForgottenListener([this] {
      MutexLock lock(&mutex_);
      changed_.SignalAll();
    });
    EXPECT_TRUE(workers_->Recover().ok());
  }
  ~PodWorkersTest() override {
    workers_.reset();
    records_.reset();
    std::filesystem::remove_all(directory_);
  }
  static std::string MakeDirectory() {
    char path[] = "/tmp/cluster-workers-XXXXXX";
    return mkdtemp(path);
  }
  void Apply(AssignmentChange change) {
    int refused = 0;
    EXPECT_TRUE(workers_->Apply(std::move(change), &refused).ok());
    EXPECT_EQ(refused, 0);
  }
  bool Await(const std::function<bool(const std::map<std::string, v1::PodStatusUpdate>&)>& holds) {
    MutexLock lock(&mutex_);
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!holds(last_)) {
      if (absl::Now() >= deadline) return false;
      changed_.WaitFor(&mutex_, absl::Seconds(1));
    }
    return true;
  }
  static AssignmentChange Pods(int count) {
    AssignmentChange change;
    change.complete = true;
    for (int i = 0; i < count; ++i) {
      change.assignments.push_back(PodBuilder(absl::StrCat("p", i)).Get());
    }
    return change;
  }

  const std::string directory_;
  FakeMachine machine_;
  FakeRuntime runtime_{&machine_};
  std::unique_ptr<RecordStore> records_;
  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, v1::PodStatusUpdate> last_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<PodWorkers> workers_;
};

TEST_F(PodWorkersTest, NoPodEverHasTwoVerbsAtOnce) {
  Mutex mutex;
  std::set<std::string> busy;
  machine_.SetFault([&](const std::string& verb, const std::string& uid) {
    {
      MutexLock lock(&mutex);
      EXPECT_TRUE(busy.insert(uid).second) << verb << " while another verb runs for " << uid;
    }
    std::this_thread::yield();
    MutexLock lock(&mutex);
    busy.erase(uid);
    return absl::OkStatus();
  });
  constexpr int kPods = 30;
  Apply(Pods(kPods));
  std::thread poker([this] {
    for (int i = 0; i < 3000; ++i) workers_->Poke(absl::StrCat("uid-p", i % kPods));
  });
  EXPECT_TRUE(Await([](const auto& last) {
    return last.size() == kPods && std::all_of(last.begin(), last.end(), [](const auto& pod) {
             return pod.second.status().phase() == v1::POD_PHASE_RUNNING;
           });
  }));
  poker.join();
  EXPECT_EQ(machine_.counts().started, kPods);
  EXPECT_TRUE(workers_->Stop(absl::Seconds(10)));
}

TEST_F(PodWorkersTest, ACompleteListEndsEverythingElse) {
  Apply(Pods(10));
  EXPECT_TRUE(Await([](const auto& last) { return last.size() == 10; }));
  Apply(Pods(3));
  EXPECT_TRUE(Await([this](const auto&) { return workers_->StaleCount() == 0; }));
  EXPECT_EQ(workers_->Epochs().size(), 3u);
  EXPECT_EQ(machine_.pods().size(), 3u);
  EXPECT_EQ(records_->Pods().size(), 3u);
}

TEST_F(PodWorkersTest, AStuckVerbDoesNotHoldUpTheEndOfTheAgentForEver) {
  Mutex mutex;
  CondVar freed;
  bool stuck = true;
  bool entered = false;
  machine_.SetFault([&](const std::string&, const std::string&) {
    MutexLock lock(&mutex);
    entered = true;
    freed.SignalAll();
    while (stuck) freed.Wait(&mutex);
    return absl::OkStatus();
  });
  Apply(Pods(1));
  {
    MutexLock lock(&mutex);
    while (!entered) freed.Wait(&mutex);
  }
  EXPECT_FALSE(workers_->Stop(absl::Milliseconds(50)));
  {
    MutexLock lock(&mutex);
    stuck = false;
    freed.SignalAll();
  }
  EXPECT_TRUE(workers_->Stop(absl::InfiniteDuration()));
}

TEST_F(PodWorkersTest, FindKnowsOnlyPodsThatAreAssigned) {
  Apply(Pods(2));
  EXPECT_EQ(workers_->Find("default", "p1").value().uid(), "uid-p1");
  EXPECT_TRUE(absl::IsNotFound(workers_->Find("other", "p1").status()));
  AssignmentChange change;
  change.removed.push_back("uid-p1");
  Apply(change);
  EXPECT_TRUE(absl::IsNotFound(workers_->Find("default", "p1").status()));
}

// A pod that uses a claim; `mode` is the claim's.
v1::Assignment WithClaim(const std::string& name, v1::AccessMode mode) {
  v1::Assignment assignment = PodBuilder(name).Get();
  v1::Volume* volume = assignment.mutable_pod()->mutable_spec()->add_volumes();
  volume->set_name("data");
  volume->mutable_persistent_volume_claim()->set_claim_name("db");
  v1::PersistentVolumeClaim* claim = assignment.add_references()->mutable_persistent_volume_claim();
  claim->mutable_metadata()->set_name("db");
  claim->mutable_metadata()->set_namespace_("default");
  claim->mutable_metadata()->set_uid("uid-db");
  claim->mutable_spec()->add_access_modes(mode);
  claim->mutable_status()->set_phase(v1::CLAIM_PHASE_BOUND);
  claim->mutable_status()->set_node_name("node1");
  return assignment;
}

class OnePodClaimTest : public PodWorkersTest {
 protected:
  using Updates = std::map<std::string, v1::PodStatusUpdate>;
  static bool Runs(const Updates& last, const std::string& uid) {
    const auto found = last.find(uid);
    return found != last.end() && found->second.status().phase() == v1::POD_PHASE_RUNNING;
  }
  // Why its container waits.
  static std::string Waits(const Updates& last, const std::string& uid) {
    const auto found = last.find(uid);
    if (found == last.end() || found->second.status().container_statuses().empty()) return "";
    return found->second.status().container_statuses(0).state().waiting().message();
  }
  void Assign(v1::Assignment assignment) {
    AssignmentChange change;
    change.assignments.push_back(std::move(assignment));
    Apply(std::move(change));
  }
};

TEST_F(OnePodClaimTest, TheSecondPodWithItWaitsUntilTheFirstIsOver) {
  Assign(WithClaim("first", v1::ACCESS_MODE_READ_WRITE_ONCE_POD));
  ASSERT_TRUE(Await([](const auto& last) { return Runs(last, "uid-first"); }));
  Assign(WithClaim("second", v1::ACCESS_MODE_READ_WRITE_ONCE_POD));
  EXPECT_TRUE(Await([](const auto& last) {
    return Waits(last, "uid-second") ==
           "the container cannot be started: PersistentVolumeClaim \"db\" is ReadWriteOncePod and "
           "pod default/first has it; it starts when that pod is over";
  }));
  EXPECT_EQ(machine_.counts().started, 1);
  AssignmentChange change;
  change.removed.push_back("uid-first");
  Apply(std::move(change));
  EXPECT_TRUE(Await([](const auto& last) { return Runs(last, "uid-second"); }));
}

TEST_F(OnePodClaimTest, PodsOfOneNodeShareAnOrdinaryClaim) {
  Assign(WithClaim("first", v1::ACCESS_MODE_READ_WRITE_ONCE));
  Assign(WithClaim("second", v1::ACCESS_MODE_READ_WRITE_ONCE));
  EXPECT_TRUE(
      Await([](const auto& last) { return Runs(last, "uid-first") && Runs(last, "uid-second"); }));
}

TEST_F(OnePodClaimTest, WhoHasItStillHasItUnderALaterAgent) {
  Assign(WithClaim("first", v1::ACCESS_MODE_READ_WRITE_ONCE_POD));
  ASSERT_TRUE(Await([](const auto& last) { return Runs(last, "uid-first"); }));
  ASSERT_TRUE(workers_->Stop(absl::InfiniteDuration()));
  StartWorkers();
  Assign(WithClaim("second", v1::ACCESS_MODE_READ_WRITE_ONCE_POD));
  EXPECT_TRUE(Await([](const auto& last) {
    return absl::StrContains(Waits(last, "uid-second"), "pod default/first has it");
  }));
}

}  // namespace
}  // namespace cluster::node
