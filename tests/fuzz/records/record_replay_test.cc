#include "tests/fuzz/records/record_replay.h"

#include "tests/fuzz/records/dns_checks.h"
#include "tests/fuzz/records/record_checks.h"

namespace cluster {

INSTANTIATE_TEST_SUITE_P(Node, RecordReplay,
                         ::testing::Values(Corpus{"state", node::FindStateFlaw},
                                           Corpus{"log", node::FindLogFlaw},
                                           Corpus{"dns", node::FindDnsFlaw}),
                         [](const auto& tested) { return std::string(tested.param.folder); });

}  // namespace cluster
