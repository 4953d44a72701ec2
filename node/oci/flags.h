// The command line of an OCI runtime as a table: one row per flag, and one parser for all commands.
// Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cluster::oci {

struct Flag {
  const char* name;  // without its dashes
  char letter;       // 0 = none
  enum Kind { kSwitch, kValue, kList } kind;
  const char* value_name;  // for --help; null for a switch
  const char* help;
};

// Values of flags by name, and what stands beside them.
class Arguments {
 public:
  bool Has(const char* name) const { return values_.count(name) != 0; }
  // The last one given.
  std::string Text(const char* name, const std::string& otherwise = "") const;
  std::vector<std::string> Texts(const char* name) const;
  // InvalidArgument for what is no integer.
  absl::StatusOr<int64_t> Number(const char* name, int64_t otherwise) const;
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  friend absl::StatusOr<Arguments> ParseArguments(absl::Span<const Flag> flags,
                                                  absl::Span<const std::string> words,
                                                  bool stop_at_rest, size_t* used);
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> rest_;
};

// "--flag value", "--flag=value", "-f value", "-fvalue"; "--switch=false" is as if it were not
// there; "--" ends the flags. With `stop_at_rest` the first word that is no flag ends them, and
// `used` says how many words came before it. InvalidArgument: unknown flag (with the nearest known
// one), missing or superfluous value.
absl::StatusOr<Arguments> ParseArguments(absl::Span<const Flag> flags,
                                         absl::Span<const std::string> words, bool stop_at_rest,
                                         size_t* used = nullptr);

// The flags' part of a help text.
std::string DescribeFlags(absl::Span<const Flag> flags);

}  // namespace cluster::oci
