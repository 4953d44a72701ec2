// The journal that agents of other versions wrote, and what it says of pods' addresses, as this one
// reads it (behaviour 82).
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "base/file.h"
#include "node/journal/frame.h"
#include "node/journal/journal.h"
#include "node/network/lease.h"

namespace cluster::node {
namespace {

// Three frames as the first version wrote them: the range; the leases of uid-web and uid-db; and
// uid-db's removal together with a lease that names its link (since commit 4650704).
constexpr char kFirstJournal[] =
    "434c4a524e4c3031260000001e76ae9b0100000000000000010605001900000072616e676531302e36342e34"
    "2e302f32322031302e36342e302e302f313043000000806303830200000000000000010107001d0000007569"
    "642d77656231302e36342e342e37207463703a302e302e302e303a383038303a383001010600090000007569"
    "642d646231302e36342e342e38360000003299a7f6030000000000000002010600000000007569642d646201"
    "010700190000007569642d6e657731302e36342e342e39204076706162636465666768696a6b6c";

class OlderJournal : public ::testing::Test {
 protected:
  OlderJournal() {
    char path[] = "/tmp/cluster-journal-XXXXXX";
    directory_ = mkdtemp(path);
    file_ = directory_ + "/journal";
  }
  ~OlderJournal() override { std::filesystem::remove_all(directory_); }
  void Leave(const std::string& content) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << content;
  }
  static std::string FirstJournal() { return absl::HexStringToBytes(kFirstJournal); }

  std::string directory_;
  std::string file_;
};

TEST_F(OlderJournal, LeasesOfTheFirstVersionAreHeldStill) {
  for (const Survives survives : {Survives::kPowerCut, Survives::kAgentCrash}) {
    Leave(FirstJournal());
    auto journal = Journal::Open(file_, survives);
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_EQ((*journal)->Get(RecordKind::kNetwork, "range").value(), "10.64.4.0/22 10.64.0.0/10");
    const std::vector<Record> leases = (*journal)->All(RecordKind::kAddressLease);
    ASSERT_EQ(leases.size(), 2u);
    EXPECT_EQ(leases[0].key, "uid-new");
    EXPECT_EQ(leases[1].key, "uid-web");
    const AddressLease named = DecodeLease(leases[0].value).value();
    EXPECT_EQ(LinkNameOf("uid-new", named), "vpabcdefghijkl");
    const AddressLease web = DecodeLease(leases[1].value).value();
    EXPECT_EQ(ToString(web.address), "10.64.4.7");
    EXPECT_EQ(web.ports[0].host_port, 8080);
    EXPECT_EQ(LinkNameOf("uid-web", web), PodLinkName("uid-web"));
    // The next frame follows on.
    ASSERT_TRUE((*journal)->Put(RecordKind::kAddressLease, "uid-next", "10.64.4.10").ok());
    journal->reset();
    EXPECT_EQ(Journal::Open(file_, survives).value()->All(RecordKind::kAddressLease).size(), 3u);
  }
}

// Links are looked for by these names: other ones would be strays, and deleted.
TEST_F(OlderJournal, ThePodsLinksAreCalledAsByTheFirstVersion) {
  EXPECT_EQ(PodLinkName("b1946ac9-2ef5-4a1c-8a7e-000000000001"), "vpb6robvknb2yj");
  EXPECT_EQ(EncodeLease(DecodeLease("10.64.4.7 tcp:0.0.0.0:8080:80").value()),
            "10.64.4.7 tcp:0.0.0.0:8080:80");
}

TEST_F(OlderJournal, RecordsOfALaterKindSurviveThisVersion) {
  constexpr auto kLater = static_cast<RecordKind>(200);
  std::string body;
  AppendChange(body, {.kind = 200, .key = "thing", .value = "of later"});
  Leave(FirstJournal() + EncodeFrame(4, body));
  auto journal = Journal::Open(file_, Survives::kAgentCrash).value();
  EXPECT_EQ(journal->All(RecordKind::kAddressLease).size(), 2u);
  // So much that the file is written anew.
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(
        journal->Put(RecordKind::kPod, "filler", absl::StrCat(i, std::string(500'000, 'x'))).ok());
  }
  ASSERT_LT(std::filesystem::file_size(file_), 5u << 20);
  journal.reset();
  journal = Journal::Open(file_, Survives::kAgentCrash).value();
  EXPECT_EQ(journal->Get(kLater, "thing").value(), "of later");
  EXPECT_EQ(journal->All(RecordKind::kAddressLease).size(), 2u);
}

TEST_F(OlderJournal, AJournalOfALaterFormatIsRefusedAndKept) {
  std::string later = FirstJournal();
  later[7] = '2';
  Leave(later);
  for (const Survives survives : {Survives::kPowerCut, Survives::kAgentCrash}) {
    const absl::Status refused = Journal::Open(file_, survives).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused));
    EXPECT_NE(refused.message().find("it is of format 02, and this version reads 01; start the "
                                     "version that wrote it"),
              std::string::npos)
        << refused;
    EXPECT_TRUE(ReadFile(file_).value() == later);
  }
}

TEST_F(OlderJournal, ALeaseWithWordsOfALaterVersionIsRefusedInASentence) {
  const absl::Status refused = DecodeLease("10.64.4.7 @vpabc %new").status();
  EXPECT_TRUE(absl::IsDataLoss(refused));
  EXPECT_NE(refused.message().find("'10.64.4.7 @vpabc %new' cannot be read"), std::string::npos)
      << refused;
}

}  // namespace
}  // namespace cluster::node
