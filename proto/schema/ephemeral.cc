#include "proto/schema/ephemeral.h"

namespace cluster {

v1::Container AsContainer(const v1::EphemeralContainer& container) {
  v1::Container same;
  // Bytes that were just made of valid text read back.
  (void)same.ParseFromString(container.SerializeAsString());
  same.DiscardUnknownFields();
  return same;
}

}  // namespace cluster
