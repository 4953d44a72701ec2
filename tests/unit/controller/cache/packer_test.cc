#include "controller/cache/packer.h"

#include <atomic>
#include <random>
#include <thread>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

#include "controller/cache/view.h"
#include "proto/schema/kinds.h"

namespace cluster {
namespace {

v1::Object PodOf(const std::string& owner, int number) {
  v1::Pod pod;
  pod.set_kind("Pod");
  v1::ObjectMeta* meta = pod.mutable_metadata();
  meta->set_namespace_("default");
  meta->set_name(absl::StrCat(owner, "-", number));
  meta->set_uid(absl::StrCat("uid-", owner, "-", number));
  (*meta->mutable_labels())["app"] = owner;
  v1::OwnerReference* reference = meta->add_owner_references();
  reference->set_uid(owner);
  reference->set_controller(true);
  v1::Container* container = pod.mutable_spec()->add_containers();
  container->set_name("main");
  container->set_image("registry.test/main:1");
  for (int i = 0; i < 20; ++i) {
    v1::EnvVar* variable = container->add_env();
    variable->set_name(absl::StrCat("NAME_", i));
    variable->set_value(absl::StrCat("value of ", owner, " ", i * 7919));
  }
  pod.mutable_spec()->set_node_name(absl::StrCat("node", number % 3));
  return Wrap(std::move(pod));
}

bool IsSame(const v1::Object& a, const v1::Object& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

TEST(Packer, AnObjectIsThereAgainWhenItIsHeld) {
  Packer packer;
  std::vector<KeptEntry> kept;
  std::vector<v1::Object> objects;
  for (const char* owner : {"web", "db", ""}) {
    for (int i = 0; i < 10; ++i) {
      const EntryPtr entry = MakeEntry(PodOf(owner, i), 100 + i, 50 + i);
      objects.push_back(entry->object);
      kept.push_back(entry);
    }
  }
  for (const KeptEntry& each : kept) {
    EXPECT_TRUE(packer.Pack(each)) << each.key();
    EXPECT_TRUE(each.is_packed());
    EXPECT_FALSE(packer.Pack(each)) << "a second time";
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].uid().Text(), Meta(objects[i]).uid());
    const EntryPtr held = kept[i].Hold();
    EXPECT_EQ(held->key, Key(objects[i]));
    EXPECT_EQ(Meta(held->object).resource_version(), absl::StrCat(held->mod_rev));
    EXPECT_TRUE(IsSame(held->object, objects[i])) << held->object.DebugString();
  }
}

TEST(Packer, ALookLeavesItPackedButManyDoNot) {
  Packer packer;
  const KeptEntry kept = MakeEntry(PodOf("web", 1), 1, 1);
  ASSERT_TRUE(packer.Pack(kept));
  for (int round = 0; round < 10; ++round) {
    kept.Hold();
    kept.Hold();
    EXPECT_TRUE(kept.is_packed());
    EXPECT_FALSE(packer.PackUnused(kept)) << "it is";
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Meta(kept.Hold()->object).name(), "web-1");
  EXPECT_FALSE(kept.is_packed());
  EXPECT_FALSE(packer.PackUnused(kept));
  EXPECT_TRUE(packer.PackUnused(kept));
}

TEST(Packer, WhatIsHeldStaysWhereItIs) {
  Packer packer;
  EntryPtr held = MakeEntry(PodOf("web", 1), 1, 1);
  const KeptEntry kept = held;
  const v1::Pod* pod = &held->object.pod();
  EXPECT_FALSE(packer.Pack(kept));
  const EntryPtr second = held;
  held = nullptr;
  EXPECT_FALSE(packer.Pack(kept)) << "by another pointer";
  EXPECT_EQ(&second->object.pod(), pod);
}

TEST(Packer, WhatIsUsedBetweenTwoRoundsIsLeftAlone) {
  Packer packer;
  const KeptEntry kept = MakeEntry(PodOf("web", 1), 1, 1);
  EXPECT_FALSE(packer.PackUnused(kept)) << "new";
  kept.Hold();
  EXPECT_FALSE(packer.PackUnused(kept)) << "held meanwhile";
  EXPECT_TRUE(packer.PackUnused(kept));
}

TEST(Packer, AnEntryGoesWithItsLastPointerPackedOrNot) {
  Packer packer;
  KeptEntry kept = MakeEntry(PodOf("web", 1), 1, 1);
  KeptEntry sister = MakeEntry(PodOf("web", 2), 1, 1);
  ASSERT_TRUE(packer.Pack(kept));
  ASSERT_TRUE(packer.Pack(sister));
  kept = KeptEntry();  // what the sister was compressed against lives on with the sister
  EXPECT_TRUE(IsSame(sister.Hold()->object, MakeEntry(PodOf("web", 2), 1, 1)->object));
  EntryPtr held = sister.Hold();
  sister = KeptEntry();
  EXPECT_EQ(Meta(held->object).name(), "web-2");
}

TEST(Packer, ObjectsThatHaveNothingInCommonArePackedToo) {
  Packer packer;
  std::mt19937_64 random(7);
  std::vector<KeptEntry> kept;
  std::vector<std::string> texts;
  for (int i = 0; i < 8; ++i) {
    v1::Object object = NewObject(*FindKind("ConfigMap"));
    MutableMeta(&object)->set_namespace_("default");
    MutableMeta(&object)->set_name(absl::StrCat("map", i));
    std::string text;
    for (int k = 0; k < (1000 << i); ++k) text.push_back(static_cast<char>(' ' + random() % 94));
    (*object.mutable_config_map()->mutable_data())["text"] = text;
    texts.push_back(text);
    kept.push_back(MakeEntry(std::move(object), 1, 1));
  }
  for (const KeptEntry& each : kept) EXPECT_TRUE(packer.Pack(each));
  for (size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].Hold()->object.config_map().data().at("text"), texts[i]);
  }
}

TEST(Packer, OthersHoldWhatIsBeingPacked) {
  std::vector<KeptEntry> kept;
  for (int i = 0; i < 50; ++i) kept.push_back(MakeEntry(PodOf("web", i), i + 1, 1));
  std::atomic<int> packed = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (unsigned seed = 0; seed < 3; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (packed < 2000) {
        const size_t i = random() % kept.size();
        const EntryPtr entry = kept[i].Hold();
        const EntryPtr copy = entry;
        if (Meta(copy->object).name() != absl::StrCat("web-", i)) ++wrong;
        if (copy->object.pod().spec().containers(0).env_size() != 20) ++wrong;
      }
    });
  }
  Packer packer;
  while (packed < 2000) {
    for (const KeptEntry& each : kept) packed += packer.Pack(each) ? 1 : 0;
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

std::vector<std::string> KeysOf(const std::vector<EntryPtr>& entries) {
  std::vector<std::string> keys;
  for (const EntryPtr& entry : entries) {
    keys.push_back(absl::StrCat(entry->key, "@", Meta(entry->object).resource_version()));
  }
  return keys;
}

TEST(View, AnswersTheSameWhenEverythingIsPacked) {
  std::mt19937 random(11);
  View plain;
  View packed;
  Packer packer;
  for (int step = 1; step <= 400; ++step) {
    const std::string owner = random() % 2 == 0 ? "web" : "db";
    const v1::Object pod = PodOf(owner, static_cast<int>(random() % 15));
    if (random() % 4 == 0) {
      plain.Remove(Key(pod));
      packed.Remove(Key(pod));
    } else {
      plain.Put(MakeEntry(pod, step, step));
      packed.Put(MakeEntry(pod, step, step));
    }
    for (const KeptEntry& each : packed.Some("", 1000)) packer.Pack(each);
    ASSERT_EQ(plain.size(), packed.size());
    EXPECT_EQ(KeysOf(plain.OwnedBy(v1::Object::kPod, owner)),
              KeysOf(packed.OwnedBy(v1::Object::kPod, owner)));
    EXPECT_EQ(KeysOf(plain.PodsOnNode("node1")), KeysOf(packed.PodsOnNode("node1")));
    EXPECT_EQ(KeysOf(plain.WithLabel(v1::Object::kPod, "app", owner)),
              KeysOf(packed.WithLabel(v1::Object::kPod, "app", owner)));
    EXPECT_EQ(KeysOf(plain.Abandoned()), KeysOf(packed.Abandoned()));
    const std::string uid = Meta(pod).uid();
    ASSERT_EQ(plain.FindUid(uid) == nullptr, packed.FindUid(uid) == nullptr);
    if (plain.FindUid(uid) != nullptr) {
      EXPECT_TRUE(IsSame(plain.FindUid(uid)->object, packed.FindUid(uid)->object));
    }
  }
}

TEST(View, SomeGoesThroughEverythingOnce) {
  View view;
  std::vector<std::string> all;
  for (int i = 0; i < 10; ++i) view.Put(MakeEntry(PodOf("web", i), 1, 1));
  v1::Object map = NewObject(*FindKind("ConfigMap"));
  MutableMeta(&map)->set_namespace_("default");
  MutableMeta(&map)->set_name("map");
  view.Put(MakeEntry(map, 1, 1));
  std::string after;
  for (;;) {
    const std::vector<KeptEntry> some = view.Some(after, 3);
    if (some.empty()) break;
    for (const KeptEntry& each : some) all.push_back(each.key());
    after = some.back().key();
    view.Remove(after);  // the place is kept, though what stood there has gone
  }
  EXPECT_EQ(all.size(), 11u);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 11u);
}

}  // namespace
}  // namespace cluster
