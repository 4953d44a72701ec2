// What durability costs: one record appended and synced, against one transaction of the store,
// alone and with others in flight. Run it on the disk that is meant: TMPDIR=/var/lib
// build/tests/store_bench
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"

#include "base/file.h"
#include "controller/store/memory_store.h"
#include "controller/store/sqlite_store.h"

namespace cluster::store {
namespace {

constexpr size_t kValueBytes = 256;
constexpr int kKeys = 10'000;

std::string ScratchDirectory() {
  const char* top = getenv("TMPDIR");
  std::string path = absl::StrCat(top == nullptr ? "/tmp" : top, "/cluster-bench-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) abort();
  return path;
}

Txn PutOf(int64_t i) {
  Txn txn;
  txn.ops.emplace_back();
  txn.ops.back().key = absl::StrCat("pods/default/bench-", absl::Dec(i % kKeys, absl::kZeroPad10));
  txn.ops.back().value.assign(kValueBytes, static_cast<char>('a' + i % 26));
  return txn;
}

// The limit: the bytes of one key and value, appended and synced.
void AppendAndSync(benchmark::State& state) {
  const std::string directory = ScratchDirectory();
  auto fd = OpenAt(AT_FDCWD, directory + "/log", O_WRONLY | O_CREAT | O_APPEND);
  const std::string record(320, 'r');
  for (auto _ : state) {
    if (!fd.ok() || !WriteAll(fd->get(), record).ok() || fdatasync(fd->get()) != 0) {
      state.SkipWithError("cannot append");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
  std::filesystem::remove_all(directory);
}
BENCHMARK(AppendAndSync)->UseRealTime();

// One transaction after the other; with arg > 1 as many as that in flight.
void SubmitTo(Store* store, benchmark::State& state) {
  const int64_t most = state.range(0);
  std::atomic<int64_t> in_flight{0};
  std::atomic<bool> failed{false};
  int64_t i = 0;
  for (auto _ : state) {
    for (int64_t now = in_flight; now >= most; now = in_flight) in_flight.wait(now);
    ++in_flight;
    store->Submit(PutOf(++i), [&](const SubmitResult& result) {
      if (!result.status.ok()) failed = true;
      --in_flight;
      in_flight.notify_one();
    });
  }
  for (int64_t now = in_flight; now > 0; now = in_flight) in_flight.wait(now);
  if (failed) state.SkipWithError("a write failed");
  state.SetItemsProcessed(state.iterations());
}

void SqliteSubmit(benchmark::State& state) {
  const std::string directory = ScratchDirectory();
  {
    SqliteOptions options;
    options.path = directory + "/store.db";
    auto store = SqliteStore::Open(options);
    if (!store.ok()) {
      state.SkipWithError("cannot open the store");
      return;
    }
    SubmitTo(store->get(), state);
    const SqliteStats stats = (*store)->GetStats();
    state.counters["txn_per_commit"] =
        static_cast<double>(stats.transactions) / static_cast<double>(stats.commits);
    state.counters["checkpoints"] = static_cast<double>(stats.checkpoints);
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(SqliteSubmit)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->UseRealTime();

void MemorySubmit(benchmark::State& state) {
  const auto store = MemoryStore::Make();
  SubmitTo(store.get(), state);
}
BENCHMARK(MemorySubmit)->Arg(1)->UseRealTime();

// A restart of the controller: open with every check, then list everything.
void SqliteOpenAndList(benchmark::State& state) {
  const std::string directory = ScratchDirectory();
  SqliteOptions options;
  options.path = directory + "/store.db";
  {
    auto store = SqliteStore::Open(options);
    Txn txn;
    for (int64_t i = 0; i < state.range(0); ++i) {
      txn.ops.emplace_back();
      txn.ops.back().key = absl::StrCat("pods/default/", absl::Dec(i, absl::kZeroPad10));
      txn.ops.back().value.assign(kValueBytes, 'x');
      if (txn.ops.size() == kMaxOps || i + 1 == state.range(0)) {
        (*store)->SubmitAndWait(std::move(txn));
        txn = Txn();
      }
    }
  }
  for (auto _ : state) {
    auto store = SqliteStore::Open(options);
    benchmark::DoNotOptimize((*store)->List(""));
    state.PauseTiming();
    store->reset();
    state.ResumeTiming();
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(SqliteOpenAndList)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cluster::store

BENCHMARK_MAIN();
