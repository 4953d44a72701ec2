#include "cli/commands/print.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "proto/schema/jsonpath.h"
#include "proto/schema/printer.h"

namespace cluster::cli {
namespace {

Json Document(const std::vector<v1::Object>& objects, bool as_list) {
  return !as_list && objects.size() == 1 ? ToJson(objects[0]) : ToJson(objects);
}

}  // namespace

absl::StatusOr<PrintFormat> ParsePrintFormat(const std::string& text) {
  if (text.empty()) return PrintFormat{};
  if (text == "wide") return PrintFormat{PrintForm::kWide, ""};
  if (text == "yaml") return PrintFormat{PrintForm::kYaml, ""};
  if (text == "json") return PrintFormat{PrintForm::kJson, ""};
  if (text == "name") return PrintFormat{PrintForm::kName, ""};
  absl::string_view path = text;
  if (absl::ConsumePrefix(&path, "jsonpath=")) {
    const absl::StatusOr<JsonPath> parsed = JsonPath::Parse(path);
    if (!parsed.ok()) return UsageError(parsed.status().message());
    return PrintFormat{PrintForm::kJsonPath, std::string(path)};
  }
  return UsageError(
      absl::StrCat("-o ", text, " is not one of wide, yaml, json, name, jsonpath=..."));
}

absl::Status PrintObjects(Session& session, const PrintFormat& format,
                          const std::vector<v1::Object>& objects, bool as_list) {
  switch (format.form) {
    case PrintForm::kYaml:
      session.out() << PrintYaml(Document(objects, as_list));
      return absl::OkStatus();
    case PrintForm::kJson:
      session.out() << PrintJson(Document(objects, as_list));
      return absl::OkStatus();
    case PrintForm::kName:
      for (const v1::Object& object : objects) session.out() << DisplayName(object) << "\n";
      return absl::OkStatus();
    case PrintForm::kJsonPath: {
      ASSIGN_OR_RETURN(const JsonPath path, JsonPath::Parse(format.path));
      ASSIGN_OR_RETURN(const std::string text, path.Print(Document(objects, as_list)));
      session.out() << text;
      return absl::OkStatus();
    }
    case PrintForm::kTable:
    case PrintForm::kWide:
      break;
  }
  return absl::InternalError("a table is printed by its command");
}

}  // namespace cluster::cli
