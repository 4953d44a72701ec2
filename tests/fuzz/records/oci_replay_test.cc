#include "tests/fuzz/records/oci_checks.h"
#include "tests/fuzz/records/record_replay.h"

namespace cluster {

INSTANTIATE_TEST_SUITE_P(Oci, RecordReplay,
                         ::testing::Values(Corpus{"config", oci::FindConfigFlaw},
                                           Corpus{"oci-state", oci::FindOciStateFlaw}),
                         [](const auto& tested) {
                           return std::string(tested.param.folder) == "config" ? "Config" : "State";
                         });

}  // namespace cluster
