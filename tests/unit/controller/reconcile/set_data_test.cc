// StatefulSets and DaemonSets whose data changes.
#include "colors.h"
#include "set_bench.h"

namespace cluster::controller {
namespace {

using domain::DaemonSet;
using domain::Node;
using domain::StatefulSet;

class SetData : public SetBench {
 protected:
  SetData() {
    for (const std::string name : {"n1", "n2"}) world_.Put(Node(name));
    PutColor("red", &world_);
  }
  std::set<std::string> SettledColors() {
    Settle();
    return ColorsOfPods(world_);
  }
  // Red, blue, red by undo, and then what somebody says.
  void RollAndUndo(const std::string& key) {
    EXPECT_EQ(SettledColors(), std::set<std::string>{"red"});
    PutColor("blue", &world_);
    EXPECT_EQ(SettledColors(), std::set<std::string>{"blue"});
    EXPECT_EQ(TemplateOf(world_.Find(key)->object)
                  .spec()
                  .containers(0)
                  .env_from(0)
                  .config_map_ref()
                  .name(),
              "settings");
    const auto undo = PlanTemplateUndo(world_.view(), *world_.Find(key), 0);
    ASSERT_TRUE(undo.ok()) << undo.status();
    EXPECT_EQ(undo->from_revision, 1);
    world_.Put(undo->owner);
    EXPECT_EQ(SettledColors(), std::set<std::string>{"red"});
    EXPECT_EQ(Copies(world_), 2u);
    PutColor("green", &world_);
    EXPECT_EQ(SettledColors(), std::set<std::string>{"green"});
    PutColor("blue", &world_);
    EXPECT_EQ(SettledColors(), std::set<std::string>{"blue"});
    EXPECT_EQ(Copies(world_), 3u);
  }
};

TEST_F(SetData, ChangedDataRollsAStatefulSetAndUndoBringsItBack) {
  world_.Put(StatefulSet("db").Replicas(2).With(UseColor));
  RollAndUndo("statefulsets/default/db");
}

TEST_F(SetData, ChangedDataRollsADaemonSetAndUndoBringsItBack) {
  world_.Put(DaemonSet("log").With(UseColor));
  RollAndUndo("daemonsets/default/log");
}

TEST_F(SetData, AnAnnotationLeavesDataToThePods) {
  world_.Put(StatefulSet("db").Replicas(2).With(UseColor).Annotation(
      std::string(kRollOnDataAnnotation), "false"));
  Settle();
  const std::string uid = UidOf("db-0");
  PutColor("blue", &world_);
  EXPECT_EQ(SettledColors(), std::set<std::string>{"blue"});
  EXPECT_EQ(UidOf("db-0"), uid);
  EXPECT_EQ(Copies(world_), 0u);
}

}  // namespace
}  // namespace cluster::controller
