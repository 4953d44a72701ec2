// The parts of config.json, one reader each. Errors and warnings go to the field's Reading.
#pragma once

#include "node/oci/config.h"
#include "node/oci/json_field.h"

namespace cluster::oci {

void ReadProcessField(const Field& field, Process* out);
void ReadLinuxField(const Field& field, Linux* out);
void ReadResourcesField(const Field& field, Resources* out);
void ReadIdMappings(const Field& field, std::vector<IdMapping>* out);

// Rules that span several parts (a hostname needs a uts namespace, ...).
void CheckConfig(const Config& config, Reading* reading);

}  // namespace cluster::oci
