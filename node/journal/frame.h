// The form of the journal's file, as pure functions.
//
//   file:  8 bytes "CLJRNL01", then frames
//   frame: u32 length of the body, u32 CRC32C of what follows it, u64 sequence, body
//   body:  changes {u8 1 = put | 2 = remove, u8 kind, u16 key length, u32 value length, key, value}
//
// Numbers are little endian. Sequences count up from 1 without a gap. A frame is written by one
// write and synced before the next, so at most the last one can be incomplete after a crash; and
// since a frame is good or bad as a whole, its changes are all there or none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

// CRC-32C (Castagnoli), RFC 3720 appendix B.4.
uint32_t Crc32c(absl::string_view data);

inline constexpr absl::string_view kJournalMagic = "CLJRNL01";
inline constexpr size_t kFrameHeader = 16;

struct FrameChange {
  bool removal = false;
  uint8_t kind = 0;
  absl::string_view key;
  absl::string_view value;
};

// Appends one change to a body.
void AppendChange(std::string& body, const FrameChange& change);
// Header and body.
std::string EncodeFrame(uint64_t sequence, absl::string_view body);

struct ScanResult {
  uint64_t sequence = 0;   // of the last good frame, 0 = none
  uint64_t good_size = 0;  // bytes up to its end; what follows is the torn end of a write
};

// Calls `each` for every change in order. DataLoss when the file is not a journal or is damaged
// before its end; `each` may have been called by then. FailedPrecondition when it is of another
// format.
absl::StatusOr<ScanResult> ScanJournal(absl::string_view file,
                                       const std::function<void(const FrameChange&)>& each);

}  // namespace cluster::node
