// The flag -o, shared by the commands that print objects.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

#include "cluster/v1/object.pb.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {

enum class PrintForm { kTable, kWide, kYaml, kJson, kName, kJsonPath };

struct PrintFormat {
  PrintForm form = PrintForm::kTable;
  // With kJsonPath.
  std::string path;
};

// "", wide, yaml, json, name, jsonpath=TEMPLATE. UsageError for anything else.
absl::StatusOr<PrintFormat> ParsePrintFormat(const std::string& text);

// Prints objects in every form but the tables. `as_list`: several, as a List, even where there is
// one.
absl::Status PrintObjects(Session& session, const PrintFormat& format,
                          const std::vector<v1::Object>& objects, bool as_list);

inline bool IsTable(const PrintFormat& format) {
  return format.form == PrintForm::kTable || format.form == PrintForm::kWide;
}

}  // namespace cluster::cli
