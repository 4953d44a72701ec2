#include "tests/fuzz/reader_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

#include "proto/schema/printer.h"
#include "proto/schema/reader.h"

namespace cluster {
namespace {

std::string CheckError(const ReadError& error, int lines) {
  if (error.message.empty() || error.message.size() > 2000) {
    return absl::StrCat("a message of ", error.message.size(), " bytes");
  }
  if (error.at.line < 0 || error.at.line > lines || error.at.column < 0) {
    return absl::StrCat("no such place: ", error.ToString());
  }
  return "";
}

std::string CheckReadsBack(const v1::Object& object, const std::string& printed) {
  // Quotes and indentation may take more than the text they came from.
  ReadLimits limits;
  limits.document_bytes *= 8;
  limits.total_bytes *= 8;
  const ReadResult again = ReadManifests(printed, "printed", limits);
  if (!again.ok()) return absl::StrCat(again.errors[0].ToString(), "\n", printed);
  if (again.documents.size() != 1) return absl::StrCat("became several documents:\n", printed);
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  if (differencer.Compare(object, again.documents[0].object)) return "";
  return absl::StrCat("reads back differently: ", difference, "\n", printed);
}

}  // namespace

std::string FindReaderFlaw(absl::string_view text) {
  const ReadResult result = ReadManifests(text, "input");
  if (result.errors.size() > 21) return "more errors than the limit";
  const int lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const ReadError& error : result.errors) {
    std::string flaw = CheckError(error, lines);
    if (!flaw.empty()) return flaw;
  }
  for (const Document& document : result.documents) {
    const Json json = ToJson(document.object);
    std::string flaw = CheckReadsBack(document.object, PrintYaml(json));
    if (flaw.empty()) flaw = CheckReadsBack(document.object, PrintJson(json));
    if (!flaw.empty()) return flaw;
  }
  return "";
}

}  // namespace cluster
