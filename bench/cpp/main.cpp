// The C++ comparison, for each workload and engine: one fresh recording and reverse sweep an
// iteration; and, where the engine can, one replay of a recording made before. Gradients are
// verified before they are timed; a mismatch makes the exit status 1.
//
//   tapegrad_bench --verify    verifies all of them at small sizes and times nothing
//   tapegrad_bench [--benchmark_filter=garch ...]    Google Benchmark's own flags
#include <benchmark/benchmark.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstdio>
#include <cstring>
#include <fstream>

#include "harness.hpp"
#include "table.hpp"

namespace {

using bench::Case;
using bench::Comparison;
using bench::Workload;

// Below this many operations the resolution of the resident set hides a tape.
constexpr std::int64_t kMemoryOperations = 50000;

void add_engines(Comparison& comparison) {
#ifdef BENCH_WITH_TAPEGRAD
  bench::add_tapegrad(comparison);
#endif
#ifdef BENCH_WITH_PROGRAM
  bench::add_program(comparison);
#endif
#ifdef BENCH_WITH_ADOLC
  bench::add_adolc(comparison);
#endif
#ifdef BENCH_WITH_CPPAD
  bench::add_cppad(comparison);
#endif
#ifdef BENCH_WITH_SACADO
  bench::add_sacado(comparison);
#endif
}

// Freed memory stays with the process, else an engine that frees its buffers pays page faults that
// depend on what ran before it.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

int verify_all() {
  Comparison comparison(/*small=*/true);
  add_engines(comparison);
  int faults = 0;
  for (const Case& c : comparison.cases()) {
    const auto fault = comparison.fault(c);
    const std::string& workload = comparison.workloads()[c.workload].name;
    std::printf("%-20s %-10s %-10s %s\n", workload.c_str(), c.engine.c_str(),
                c.replayed ? "replayed" : "recorded", fault ? fault->c_str() : "agrees");
    faults += fault.has_value();
  }
  return faults == 0 ? 0 : 1;
}

void count_operations(benchmark::State& state, const Workload& w) {
  using benchmark::Counter;
  state.counters["s/op"] = Counter(static_cast<double>(w.operations),
                                   Counter::kIsIterationInvariantRate | Counter::kInvert);
}

std::string name_of(const std::string& workload, const std::string& engine, bool replayed) {
  return workload + "/" + engine + (replayed ? "/replayed" : "");
}

void register_value(const Workload& w) {
  const auto run = [&w](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(w.value());
    count_operations(state, w);
  };
  benchmark::RegisterBenchmark((w.name + "/function").c_str(), run)->Unit(benchmark::kMicrosecond);
}

void register_gradient(Comparison& comparison, const Case& c, bool& failed) {
  const Workload& w = comparison.workloads()[c.workload];
  const auto run = [&, verified = false](benchmark::State& state) mutable {
    if (!verified) {
      if (const auto fault = comparison.fault(c)) {
        failed = true;
        state.SkipWithError(fault->c_str());
        return;
      }
      verified = true;
    }
    std::vector<double> gradient;
    for (auto _ : state) benchmark::DoNotOptimize(c.gradient(gradient));
    count_operations(state, w);
  };
  benchmark::RegisterBenchmark(name_of(w.name, c.engine, c.replayed).c_str(), run)
      ->Unit(benchmark::kMicrosecond);
}

// The engine's first case: the smallest of its kind to warm up with.
const Case& first_like(const Comparison& comparison, const Case& like) {
  for (const Case& c : comparison.cases()) {
    if (c.engine == like.engine && c.replayed == like.replayed) return c;
  }
  return like;
}

std::vector<bench::Row> make_rows(const Comparison& comparison, bool replayed) {
  std::vector<bench::Row> rows;
  for (const Workload& w : comparison.workloads()) rows.push_back({w.name, w.operations, 0.0, {}});
  for (const Case& c : comparison.cases()) {
    if (c.replayed != replayed) continue;
    std::int64_t bytes = 0;
    if (rows[c.workload].operations >= kMemoryOperations) {
      bytes = bench::measure_peak_bytes(c, first_like(comparison, c));
    }
    rows[c.workload].entries.push_back({c.engine, 0.0, bytes});
  }
  return rows;
}

void fill_times(std::vector<bench::Row>& rows, bool replayed, const bench::TimeCollector& times) {
  for (bench::Row& row : rows) {
    row.value_seconds = times.seconds(row.workload + "/function");
    for (auto& entry : row.entries) {
      entry.seconds = times.seconds(name_of(row.workload, entry.engine, replayed));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--verify") == 0) return verify_all();
  keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("processor", processor());
  benchmark::AddCustomContext("compiler", BENCH_COMPILER);
  benchmark::AddCustomContext("commit", BENCH_COMMIT);

  Comparison comparison(/*small=*/false);
  add_engines(comparison);
  std::vector<bench::Row> recorded = make_rows(comparison, /*replayed=*/false);
  std::vector<bench::Row> replayed = make_rows(comparison, /*replayed=*/true);
  bool failed = false;
  for (std::size_t w = 0; w < comparison.workloads().size(); ++w) {
    register_value(comparison.workloads()[w]);
    for (const Case& c : comparison.cases()) {
      if (c.workload == w) register_gradient(comparison, c, failed);
    }
  }
  bench::TimeCollector times;
  benchmark::RunSpecifiedBenchmarks(&times);
  fill_times(recorded, /*replayed=*/false, times);
  fill_times(replayed, /*replayed=*/true, times);
  bench::print_table("recording and reverse sweep", recorded);
  bench::print_table("value and gradient, replayed", replayed);
  return failed ? 1 : 0;
}
