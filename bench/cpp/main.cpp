// The C++ comparison, for each workload and engine: one fresh recording and reverse sweep an
// iteration; and, where the engine can, one replay of a recording made before, for the gradient and
// for a Hessian-vector product. Results are verified before they are timed; a mismatch makes the
// exit status 1.
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
using bench::Task;
using bench::Workload;

struct TaskName {
  Task task;
  const char* name;
  const char* suffix;  // of its benchmarks
};
constexpr TaskName kTasks[] = {
    // in the order of Task
    {Task::gradient, "recording and reverse sweep", ""},
    {Task::replayed_gradient, "replayed value and gradient", "/replayed"},
    {Task::replayed_product, "replayed Hessian-vector product", "/hvp"},
};

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
    std::printf("%-20s %-10s %-32s %s\n", workload.c_str(), c.engine.c_str(),
                kTasks[static_cast<int>(c.task)].name, fault ? fault->c_str() : "agrees");
    faults += fault.has_value();
  }
  return faults == 0 ? 0 : 1;
}

void count_operations(benchmark::State& state, const Workload& w) {
  using benchmark::Counter;
  state.counters["s/op"] = Counter(static_cast<double>(w.operations),
                                   Counter::kIsIterationInvariantRate | Counter::kInvert);
}

std::string name_of(const std::string& workload, const std::string& engine, Task task) {
  return workload + "/" + engine + kTasks[static_cast<int>(task)].suffix;
}

void register_value(const Workload& w) {
  const auto run = [&w](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(w.value());
    count_operations(state, w);
  };
  benchmark::RegisterBenchmark((w.name + "/function").c_str(), run)->Unit(benchmark::kMicrosecond);
}

void register_case(Comparison& comparison, const Case& c, bool& failed) {
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
    std::vector<double> result;
    for (auto _ : state) benchmark::DoNotOptimize(c.run(result));
    count_operations(state, w);
  };
  benchmark::RegisterBenchmark(name_of(w.name, c.engine, c.task).c_str(), run)
      ->Unit(benchmark::kMicrosecond);
}

// The engine's first case: the smallest of its kind to warm up with.
const Case& first_like(const Comparison& comparison, const Case& like) {
  for (const Case& c : comparison.cases()) {
    if (c.engine == like.engine && c.task == like.task) return c;
  }
  return like;
}

std::vector<bench::Row> make_rows(const Comparison& comparison, Task task) {
  std::vector<bench::Row> rows;
  for (const Workload& w : comparison.workloads()) rows.push_back({w.name, w.operations, 0.0, {}});
  for (const Case& c : comparison.cases()) {
    if (c.task != task) continue;
    std::int64_t bytes = 0;
    if (rows[c.workload].operations >= kMemoryOperations) {
      bytes = bench::measure_peak_bytes(c, first_like(comparison, c));
    }
    rows[c.workload].entries.push_back({c.engine, 0.0, bytes});
  }
  return rows;
}

void fill_times(std::vector<bench::Row>& rows, Task task, const bench::TimeCollector& times) {
  for (bench::Row& row : rows) {
    row.value_seconds = times.seconds(row.workload + "/function");
    for (auto& entry : row.entries) {
      entry.seconds = times.seconds(name_of(row.workload, entry.engine, task));
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
  std::vector<std::vector<bench::Row>> tables;
  for (const auto& [task, name, suffix] : kTasks) tables.push_back(make_rows(comparison, task));
  bool failed = false;
  for (std::size_t w = 0; w < comparison.workloads().size(); ++w) {
    register_value(comparison.workloads()[w]);
    for (const Case& c : comparison.cases()) {
      if (c.workload == w) register_case(comparison, c, failed);
    }
  }
  bench::TimeCollector times;
  benchmark::RunSpecifiedBenchmarks(&times);
  for (std::size_t t = 0; t < tables.size(); ++t) {
    fill_times(tables[t], kTasks[t].task, times);
    bench::print_table(kTasks[t].name, tables[t]);
  }
  return failed ? 1 : 0;
}
