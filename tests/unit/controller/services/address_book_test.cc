#include "controller/services/address_book.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/store/memory_store.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

using testing::HasSubstr;

v1::Service Service(const std::string& name, const std::string& address = "") {
  v1::Service service;
  service.mutable_metadata()->set_namespace_("shop");
  service.mutable_metadata()->set_name(name);
  service.mutable_spec()->set_type(v1::SERVICE_TYPE_CLUSTER_IP);
  service.mutable_spec()->set_cluster_ip(address);
  return service;
}

class AddressBookTest : public testing::Test {
 protected:
  AddressBookTest() {
    auto cache = Cache::Start(store_.get());
    EXPECT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
    book_.emplace(cache_.get(), ServiceRanges{{Ipv4{10u << 24 | 60u << 16}, 28}, 30000, 30003});
  }

  // "" or the first thing that is wrong.
  std::string FillIn(v1::Service* service, Reservation* reservation) {
    const auto errors = book_->FillIn("uid", nullptr, service, reservation);
    if (!errors.ok()) return std::string(errors.status().message());
    return errors->empty() ? "" : errors->front().message;
  }

  void Store(const v1::Service& service) {
    v1::Object object;
    *object.mutable_service() = service;
    store::Txn txn;
    txn.ops.push_back({store::Op::Kind::kPut, Key(object), SerializeObject(object), 0});
    const auto result = store_->SubmitAndWait(std::move(txn));
    ASSERT_TRUE(result.status.ok()) << result.status;
    ASSERT_TRUE(cache_->WaitFor(result.commit.rev, absl::Seconds(20)));
  }

  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::Make();
  std::unique_ptr<Cache> cache_;
  std::optional<AddressBook> book_;
};

TEST_F(AddressBookTest, Law9WhatIsOnItsWayIsHeld) {
  std::vector<Reservation> reservations(14);
  std::set<std::string> given;
  for (int i = 0; i < 14; ++i) {
    v1::Service service = Service(absl::StrCat("s", i));
    ASSERT_EQ(FillIn(&service, &reservations[i]), "");
    EXPECT_TRUE(given.insert(service.spec().cluster_ip()).second);
  }
  Reservation more;
  v1::Service last = Service("last");
  EXPECT_THAT(FillIn(&last, &more), HasSubstr("no address is left"));
  reservations[3] = Reservation();
  EXPECT_EQ(FillIn(&last, &more), "") << "that write is over";
}

TEST_F(AddressBookTest, Law9WhatIsStoredIsHeldAndNamesItsHolder) {
  Store(Service("db", "10.60.0.5"));
  Reservation reservation;
  v1::Service other = Service("web", "10.60.0.5");
  EXPECT_EQ(
      FillIn(&other, &reservation),
      "10.60.0.5 belongs to service/db in namespace shop; leave it out to get a free address");
  v1::Service same = Service("db", "10.60.0.5");
  EXPECT_EQ(FillIn(&same, &reservation), "") << "its own";
}

TEST_F(AddressBookTest, TwoAttemptsToWriteOneServiceShareItsAddress) {
  Reservation first;
  Reservation second;
  v1::Service service = Service("web", "10.60.0.5");
  EXPECT_EQ(FillIn(&service, &first), "");
  EXPECT_EQ(FillIn(&service, &second), "");
  first = Reservation();
  v1::Service other = Service("db", "10.60.0.5");
  EXPECT_THAT(FillIn(&other, &first), HasSubstr("belongs to service/web in namespace shop"));
  second = Reservation();
  EXPECT_EQ(FillIn(&other, &first), "");
}

TEST_F(AddressBookTest, AWriteOfUnknownEndHoldsForEver) {
  Reservation reservation;
  v1::Service service = Service("web", "10.60.0.5");
  EXPECT_EQ(FillIn(&service, &reservation), "");
  reservation.KeepForEver();
  reservation = Reservation();
  v1::Service other = Service("db", "10.60.0.5");
  EXPECT_THAT(FillIn(&other, &reservation), HasSubstr("belongs to service/web"));
}

}  // namespace
}  // namespace cluster::controller
