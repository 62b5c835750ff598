// The summary printed after Google Benchmark's own lines: for each workload, every engine's
// nanoseconds and bytes an operation, and the lead of the first engine over the best other one.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {

// Passes everything on to the console and keeps the times of single runs.
class TimeCollector : public benchmark::ConsoleReporter {
 public:
  TimeCollector();
  void ReportRuns(const std::vector<Run>& runs) override;
  // Median seconds of one iteration of the benchmark; 0 when it did not run.
  double seconds(const std::string& benchmark) const;

 private:
  std::map<std::string, std::vector<double>> seconds_;
};

struct Row {
  std::string workload;
  std::int64_t operations;
  double value_seconds;  // of the function itself in plain doubles
  struct Entry {
    std::string engine;
    double seconds;
    std::int64_t peak_bytes;  // 0 when not measured
  };
  std::vector<Entry> entries;  // the engine to judge comes first
};

// `what` is timed, for the heading.
void print_table(const char* what, const std::vector<Row>& rows);

}  // namespace bench
