#include "base/mountinfo.h"

namespace cluster {

std::string UnescapeMountInfo(absl::string_view word) {
  std::string out;
  for (size_t i = 0; i < word.size(); ++i) {
    int value = 0;
    bool octal = word[i] == '\\' && i + 3 < word.size();
    for (size_t digit = 1; octal && digit <= 3; ++digit) {
      octal = word[i + digit] >= '0' && word[i + digit] <= '7';
      value = value * 8 + (word[i + digit] - '0');
    }
    out.push_back(octal ? static_cast<char>(value) : word[i]);
    if (octal) i += 3;
  }
  return out;
}

}  // namespace cluster
