// What earlier versions of the agent left on the disk, and what a later one will, as this one reads
// it: an upgraded agent goes on with the pods of the one before it (behaviour 82), and one that is
// put back does not lose what it does not know.
#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/unknown_field_set.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "openssl/sha.h"

#include "base/file.h"
#include "node/services/service_book.h"
#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

// A state.log of one frame, byte by byte as the first version wrote it (commit 0a26517, of which
// protoc encoded the text below).
constexpr char kFirstLog[] =
    "5QEAAHS/wLhgFy7KCpYBGkMKA3dlYhACGAEiBgiB4s+qBiiA1M3i5mgw6QdKCQgDGgVFcnJvclACYgpzaGEyNTY6"
    "YWJj4AEB6AEB8AEBwgIAygIAIAI6BgiA4s+qBkIGYm9vdC0xahEKBVJlYWR5EAEaBgiC4s+qBnIJMTAuNjQuNC43"
    "egd1aWQtd2VigAGAwOKF42iQAQGYAQHCAgcwIDAgMCAwCnUaPwoEZG9uZRgBIgYIgeLPqgYogNTN4uZoOhMaCUNv"
    "bXBsZXRlZDIGCIXiz6oGQICk+tX1aGIKc2hhMjU2OmFiYyADOgYIgOLPqgZCBmJvb3QtMXoIdWlkLWRvbmWAAYDA"
    "4oXjaJABApgBAcICBzAgMCAwIDAaUwgDECkYYSACKgwxMC42NC40LjAvMjIyDDEwLjY0LjAuMC8xMDogCgVub2Rl"
    "MhIJMTAuNjMuMC4zGgwxMC42NC44LjAvMjJSCwoJc2hhMjU2OmFhIjwKB3VpZC13ZWISLworGhcKA3dlYhoHZGVm"
    "YXVsdDIHdWlkLXdlYiIQCgwKA3dlYhIFbmdpbngQARAFGAEiQAoIdWlkLWRvbmUSMgouGhkKBGRvbmUaB2RlZmF1"
    "bHQyCHVpZC1kb25lIhEKDQoEZG9uZRIFbmdpbngQAxAGGAE=";
constexpr char kFirstText[] = R"(
node {
  incarnation: 3
  last_session: 41
  applied_revision: 97
  term: 2
  pod_cidr: "10.64.4.0/22"
  cluster_cidr: "10.64.0.0/10"
  peers { node: "node2" address: "10.63.0.3" pod_cidr: "10.64.8.0/22" }
  unpacked { archive: "sha256:aa" }
}
pods {
  uid: "uid-web"
  phase: POD_PHASE_RUNNING
  start_time { seconds: 1700000000 }
  start_ns: 3600000000000
  boot_id: "boot-1"
  pod_ip: "10.64.4.7"
  sandbox: 1
  initialized: true
  pod_mark: "0 0 0 0"
  containers {
    name: "web"
    attempt: 2
    intended: true
    started_at { seconds: 1700000001 }
    started_ns: 3601000000000
    pid: 1001
    failures: 2
    image_id: "sha256:abc"
    previous { exit_code: 3 reason: "Error" }
    started: true
    ready: true
    post_start_done: true
    granted {}
    actual {}
  }
  conditions { type: "Ready" status: CONDITION_STATUS_TRUE last_transition_time { seconds: 1700000002 } }
}
pods {
  uid: "uid-done"
  phase: POD_PHASE_SUCCEEDED
  start_time { seconds: 1700000000 }
  start_ns: 3600000000000
  boot_id: "boot-1"
  sandbox: 2
  initialized: true
  pod_mark: "0 0 0 0"
  containers {
    name: "done"
    intended: true
    started_at { seconds: 1700000001 }
    started_ns: 3601000000000
    image_id: "sha256:abc"
    terminated { exit_code: 0 reason: "Completed" finished_at { seconds: 1700000005 } }
    ended_ns: 3605000000000
  }
}
assignments {
  uid: "uid-web"
  assigned: true
  assignment {
    epoch: 5
    pod {
      metadata { name: "web" namespace: "default" uid: "uid-web" }
      spec { restart_policy: RESTART_POLICY_ALWAYS containers { name: "web" image: "nginx" } }
    }
  }
}
assignments {
  uid: "uid-done"
  assigned: true
  assignment {
    epoch: 6
    pod {
      metadata { name: "done" namespace: "default" uid: "uid-done" }
      spec { restart_policy: RESTART_POLICY_NEVER containers { name: "done" image: "nginx" } }
    }
  }
}
)";
constexpr size_t kFrameHead = 12;
// A frame as record_store.cc has it: length, eight bytes of SHA-256, payload.
std::string Framed(const std::string& payload) {
  std::string digest(SHA256_DIGEST_LENGTH, 0);
  SHA256(reinterpret_cast<const unsigned char*>(payload.data()), payload.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  std::string frame(1, static_cast<char>(payload.size()));
  return absl::StrCat(frame, std::string(3, 0), digest.substr(0, 8), payload);
}

// Of fields that only a later version knows.
constexpr int kLaterField = 5000;

template <typename Message>
void AddLater(const std::string& text, Message* message) {
  message->GetReflection()
      ->MutableUnknownFields(message)
      ->AddLengthDelimited(kLaterField)
      ->append(text);
}
template <typename Message>
std::string Later(const Message& message) {
  const auto& fields = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).number() == kLaterField) return fields.field(i).length_delimited();
  }
  return "";
}

class OlderRecords : public PodBench {
 protected:
  // The agent's disk is that of another version, which has ended.
  void Leave(const std::string& log) {
    records_.reset();
    std::ofstream(File(), std::ios::binary | std::ios::trunc) << log;
  }
  std::string File() const { return directory_ + "/agent/state.log"; }
  void Open() {
    worker_.reset();
    records_.reset();
    auto opened = RecordStore::Open(directory_ + "/agent");
    ASSERT_TRUE(opened.ok()) << opened.status();
    records_ = *std::move(opened);
    world_.records = records_.get();
  }
  void Recover(const std::string& uid) {
    worker_ = std::make_unique<PodWorker>(&world_, records_->Pods().at(uid));
    Settle();
  }
  static std::string FirstLog() {
    std::string log;
    EXPECT_TRUE(absl::Base64Unescape(kFirstLog, &log));
    return log;
  }
  // What runs on the machine meanwhile: the third instance of web, and nothing of done any more.
  void RunPods() {
    for (const char* name : {"web", "done"}) {
      SandboxSpec sandbox;
      sandbox.uid = absl::StrCat("uid-", name);
      ASSERT_TRUE(runtime_.PrepareSandbox(sandbox).ok());
      ContainerSpec container;
      container.pod_uid = sandbox.uid;
      container.name = name;
      container.attempt = container.name == "web" ? 2 : 0;
      ASSERT_TRUE(runtime_.StartContainer(container).ok());
    }
    ASSERT_TRUE(machine_.Exit("uid-done", "done", 0));
    verbs_before_ = machine_.verbs().size();
  }
  std::vector<std::string> NewVerbs() const {
    const std::vector<std::string> verbs = machine_.verbs();
    return {verbs.begin() + static_cast<std::ptrdiff_t>(verbs_before_), verbs.end()};
  }

  size_t verbs_before_ = 0;
};

TEST_F(OlderRecords, TheFirstVersionsFieldsHaveKeptTheirNumbers) {
  v1::NodeStateChange as_text;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kFirstText, &as_text));
  v1::NodeStateChange as_written;
  ASSERT_TRUE(as_written.ParseFromString(FirstLog().substr(kFrameHead)));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(as_written, as_text));
  EXPECT_TRUE(as_written.GetReflection()->GetUnknownFields(as_written).empty());
}

TEST_F(OlderRecords, Behaviour82_APodOfTheFirstVersionRunsOn) {
  RunPods();
  Leave(FirstLog());
  Open();
  EXPECT_EQ(records_->Node().incarnation(), 3);
  EXPECT_EQ(records_->Node().last_session(), 41);
  EXPECT_EQ(records_->Node().peers(0).pod_cidr(), "10.64.8.0/22");
  EXPECT_EQ(records_->Services().services_size(), 0);
  Recover("uid-web");
  for (const std::string& verb : NewVerbs()) {
    EXPECT_EQ(verb.find("StartContainer"), std::string::npos) << verb;
    EXPECT_EQ(verb.find("Resize"), std::string::npos) << verb;
    EXPECT_EQ(verb.find("Kill"), std::string::npos) << verb;
    EXPECT_EQ(verb.find("Signal"), std::string::npos) << verb;
  }
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  EXPECT_EQ(FirstContainer().restart_count(), 2);
  EXPECT_EQ(FirstContainer().state().running().started_at().seconds(), 1'700'000'001);
  EXPECT_EQ(FirstContainer().last_state().terminated().exit_code(), 3);
  EXPECT_TRUE(FirstContainer().ready());
  EXPECT_EQ(Status().start_time().seconds(), 1'700'000'000);
  // And is ended and started as ever.
  ASSERT_TRUE(machine_.Exit("uid-web", "web", 9));
  Pass(absl::Minutes(6));
  EXPECT_EQ(FirstContainer().restart_count(), 3);
  EXPECT_EQ(FirstContainer().last_state().terminated().exit_code(), 9);
}

// Before commit e82fad4 nothing was given back before the pod's object went.
TEST_F(OlderRecords, WhatAPodThatIsOverHoldsIsGivenBackByTheFirstAgentThatCan) {
  RunPods();
  Leave(FirstLog());
  Open();
  Recover("uid-done");
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_SUCCEEDED);
  EXPECT_EQ(FirstContainer().state().terminated().finished_at().seconds(), 1'700'000'005);
  EXPECT_EQ(FirstContainer().restart_count(), 0);
  EXPECT_TRUE(records_->Pods().at("uid-done").released());
}

// Those of commit 61eb418 had no range; it is told with the first word of the controller.
TEST_F(OlderRecords, ServicesFromBeforeTheirRangeWasKeptAreKnown) {
  v1::NodeStateChange services;
  v1::ServiceRoute* redis = services.mutable_services()->add_services();
  redis->set_namespace_("default");
  redis->set_name("redis");
  redis->set_cluster_ip("10.60.0.9");
  ASSERT_TRUE(records_->Commit(services).ok());
  Open();
  ServiceBook book;
  book.Restore(records_->Services());
  ASSERT_EQ(book.In("default").size(), 1u);
  EXPECT_EQ(book.In("default")[0].cluster_ip(), "10.60.0.9");
  v1::Routes told;
  told.set_complete(true);
  told.set_service_cidr("10.60.0.0/16");
  *told.add_services() = services.services().services(0);
  EXPECT_TRUE(book.Apply(told)) << "the range is to be kept from now on";
}

// A later agent was there, and this one is put back: what it does not know is still there for the
// later one when that returns, though pods change and the file is written anew.
TEST_F(OlderRecords, FieldsOfALaterVersionSurviveThisOne) {
  RunPods();
  v1::NodeStateChange later;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kFirstText, &later));
  AddLater("change", &later);
  AddLater("node", later.mutable_node());
  AddLater("pod", later.mutable_pods(0));
  AddLater("container", later.mutable_pods(0)->mutable_containers(0));
  AddLater("assignment", later.mutable_assignments(0)->mutable_assignment());
  AddLater("spec", later.mutable_assignments(0)
                       ->mutable_assignment()
                       ->mutable_pod()
                       ->mutable_spec()
                       ->mutable_containers(0));
  ASSERT_TRUE(records_->Commit(later).ok());
  Open();
  Recover("uid-web");
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  for (const std::string& verb : NewVerbs()) {
    EXPECT_EQ(verb.find("StartContainer"), std::string::npos) << verb;
  }
  // The record changes, as does the node's.
  health_["web"].container = "web";
  health_["web"].attempt = 2;
  v1::NodeStateChange welcome;
  *welcome.mutable_node() = records_->Node();
  welcome.mutable_node()->set_last_session(42);
  ASSERT_TRUE(records_->Commit(welcome).ok());
  ASSERT_TRUE(machine_.Exit("uid-web", "web", 1));
  Settle();
  // So much that the file is written anew.
  v1::PodRecord filler = records_->Pods().at("uid-done");
  for (int i = 0; i < 20; ++i) {
    filler.set_message(absl::StrCat(i, std::string(200'000, 'x')));
    ASSERT_TRUE(records_->Put(filler).ok());
  }
  ASSERT_LT(std::filesystem::file_size(File()), 3u << 20);
  Open();
  EXPECT_EQ(records_->Node().last_session(), 42);
  EXPECT_EQ(Later(records_->Node()), "node");
  const v1::PodRecord record = records_->Pods().at("uid-web");
  EXPECT_TRUE(record.containers(0).has_terminated());
  EXPECT_EQ(Later(record), "pod");
  EXPECT_EQ(Later(record.containers(0)), "container");
  EXPECT_EQ(Later(record.assignment()), "assignment");
  EXPECT_EQ(Later(record.assignment().pod().spec().containers(0)), "spec");
}

// A frame that is whole, with something else in it.
TEST_F(OlderRecords, AFrameOfAnotherFormatIsRefusedAndKept) {
  const std::string log = FirstLog() + Framed("no record of this version") + FirstLog();
  Leave(log);
  const absl::Status refused = RecordStore::Open(directory_ + "/agent").status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_NE(refused.message().find("state.log holds an unreadable record at byte 497"),
            std::string::npos)
      << refused;
  EXPECT_TRUE(ReadFile(File()).value() == log);
}

// There is no number of a format in the file: another one shows by frames that are none.
TEST_F(OlderRecords, AFileOfAnotherFormatIsRefusedAndKept) {
  const std::string other = "CLSTATE2" + FirstLog() + FirstLog();
  Leave(other);
  const absl::Status refused = RecordStore::Open(directory_ + "/agent").status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_NE(refused.message().find("state.log is damaged at byte 0"), std::string::npos) << refused;
  EXPECT_EQ(ReadFile(File()).value(), other);
}

// One flipped bit in the length of the first of three frames.
TEST_F(OlderRecords, ADamagedLengthInTheMiddleIsDamageAndNoTornEnd) {
  std::string log = FirstLog() + FirstLog() + FirstLog();
  log[3] = static_cast<char>(log[3] ^ 1);
  Leave(log);
  EXPECT_TRUE(absl::IsDataLoss(RecordStore::Open(directory_ + "/agent").status()));
  EXPECT_EQ(ReadFile(File()).value(), log);
}

}  // namespace
}  // namespace cluster::node
