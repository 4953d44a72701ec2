#include "node/journal/frame.h"

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the journal is little endian");

constexpr uint8_t kPut = 1;
constexpr uint8_t kRemove = 2;
constexpr size_t kChangeHeader = 8;

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

template <typename Number>
void AppendNumber(std::string& out, Number value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename Number>
Number NumberAt(absl::string_view data, size_t at) {
  Number value;
  std::memcpy(&value, data.data() + at, sizeof value);
  return value;
}

// The changes of a body, or none when it is not well formed.
std::optional<std::vector<FrameChange>> ParseBody(absl::string_view body) {
  std::vector<FrameChange> changes;
  while (!body.empty()) {
    if (body.size() < kChangeHeader) return std::nullopt;
    const auto operation = NumberAt<uint8_t>(body, 0);
    const size_t key = NumberAt<uint16_t>(body, 2);
    const size_t value = NumberAt<uint32_t>(body, 4);
    if ((operation != kPut && operation != kRemove) || key + value > body.size() - kChangeHeader) {
      return std::nullopt;
    }
    changes.push_back(FrameChange{operation == kRemove, NumberAt<uint8_t>(body, 1),
                                  body.substr(kChangeHeader, key),
                                  body.substr(kChangeHeader + key, value)});
    body.remove_prefix(kChangeHeader + key + value);
  }
  return changes;
}

struct Frame {
  uint64_t sequence = 0;
  size_t size = 0;
  std::vector<FrameChange> changes;
};

// The frame at the start of `data` with a sequence from `lowest` on, if a good one is there.
std::optional<Frame> FrameAt(absl::string_view data, uint64_t lowest) {
  if (data.size() < kFrameHeader) return std::nullopt;
  const size_t length = NumberAt<uint32_t>(data, 0);
  const auto sequence = NumberAt<uint64_t>(data, 8);
  // The sequence is looked at first: it makes a search through damaged data linear.
  if (length > data.size() - kFrameHeader || sequence < lowest || sequence - lowest > UINT32_MAX) {
    return std::nullopt;
  }
  const absl::string_view covered = data.substr(8, 8 + length);
  if (Crc32c(covered) != NumberAt<uint32_t>(data, 4)) return std::nullopt;
  auto changes = ParseBody(covered.substr(8));
  if (!changes.has_value()) return std::nullopt;
  return Frame{sequence, kFrameHeader + length, *std::move(changes)};
}

// Whether a good frame lies anywhere behind the bad one.
bool GoodFrameBehind(absl::string_view data, uint64_t lowest) {
  while (!data.empty()) {
    data.remove_prefix(1);
    if (FrameAt(data, lowest).has_value()) return true;
  }
  return false;
}

}  // namespace

uint32_t Crc32c(absl::string_view data) {
  uint32_t crc = ~0u;
  for (const char byte : data) {
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(byte)) & 255];
  }
  return ~crc;
}

void AppendChange(std::string& body, const FrameChange& change) {
  AppendNumber(body, change.removal ? kRemove : kPut);
  AppendNumber(body, change.kind);
  AppendNumber(body, static_cast<uint16_t>(change.key.size()));
  AppendNumber(body, static_cast<uint32_t>(change.value.size()));
  body.append(change.key.data(), change.key.size());
  body.append(change.value.data(), change.value.size());
}

std::string EncodeFrame(uint64_t sequence, absl::string_view body) {
  std::string covered;
  AppendNumber(covered, sequence);
  covered.append(body.data(), body.size());
  std::string frame;
  AppendNumber(frame, static_cast<uint32_t>(body.size()));
  AppendNumber(frame, Crc32c(covered));
  return frame + covered;
}

absl::StatusOr<ScanResult> ScanJournal(absl::string_view file,
                                       const std::function<void(const FrameChange&)>& each) {
  const absl::string_view magic = file.substr(0, kJournalMagic.size());
  constexpr size_t kName = 6;  // letters of it; then the number of the format
  if (magic != kJournalMagic && magic.size() == kJournalMagic.size() &&
      magic.substr(0, kName) == kJournalMagic.substr(0, kName)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "it is of format ", absl::CEscape(magic.substr(kName)), ", and this version reads ",
        kJournalMagic.substr(kName), "; start the version that wrote it"));
  }
  if (magic != kJournalMagic) {
    return absl::DataLossError("it does not begin as a journal does");
  }
  ScanResult result{0, kJournalMagic.size()};
  while (result.good_size < file.size()) {
    const absl::string_view rest = file.substr(result.good_size);
    const uint64_t next = result.sequence + 1;
    const std::optional<Frame> frame = FrameAt(rest, next);
    if (!frame.has_value() && !GoodFrameBehind(rest, next)) return result;
    if (!frame.has_value() || frame->sequence != next) {
      return absl::DataLossError(absl::StrCat("frame ", next, " at byte ", result.good_size,
                                              " is damaged, and good ones follow it"));
    }
    for (const FrameChange& change : frame->changes) each(change);
    result = ScanResult{next, result.good_size + frame->size};
  }
  return result;
}

}  // namespace cluster::node
