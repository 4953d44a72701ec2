// What every e2e program does: bring a cluster of its own up before the first test.
#pragma once

#define CLUSTER_E2E_MAIN(name, nodes)                                               \
  int main(int argc, char** argv) {                                                 \
    testing::InitGoogleTest(&argc, argv);                                           \
    testing::AddGlobalTestEnvironment(new cluster::e2e::LocalCluster(name, nodes)); \
    return RUN_ALL_TESTS();                                                         \
  }
