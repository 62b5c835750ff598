// See table.hpp.
#include "table.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace bench {
namespace {

void print_cell(double number, const char* format = "%12.1f") {
  if (number > 0.0) {
    std::printf(format, number);
  } else {
    std::printf("%12s", "-");
  }
}

// How many times faster the first engine is than the fastest of the others; 0 when unknown.
double lead(const Row& row) {
  double best = 0.0;
  for (std::size_t i = 1; i < row.entries.size(); ++i) {
    const double s = row.entries[i].seconds;
    if (s > 0.0 && (best == 0.0 || s < best)) best = s;
  }
  const double own = row.entries.empty() ? 0.0 : row.entries[0].seconds;
  return own > 0.0 ? best / own : 0.0;
}

void print_header(const Row& row, const char* last) {
  std::printf("%-20s%12s", "", "operations");
  for (const Row::Entry& entry : row.entries) std::printf("%12s", entry.engine.c_str());
  std::printf("%s\n", last);
}

void print_times(const Row& row) {
  const auto operations = static_cast<double>(row.operations);
  std::printf("%-20s%12lld", row.workload.c_str(), static_cast<long long>(row.operations));
  for (const Row::Entry& entry : row.entries) print_cell(1e9 * entry.seconds / operations);
  print_cell(1e9 * row.value_seconds / operations, "%12.2f");
  print_cell(lead(row), "%7.2fx");
  std::printf("\n");
}

void print_memory(const Row& row) {
  const auto operations = static_cast<double>(row.operations);
  std::printf("%-20s%12lld", row.workload.c_str(), static_cast<long long>(row.operations));
  for (const Row::Entry& entry : row.entries) {
    print_cell(static_cast<double>(entry.peak_bytes) / operations);
  }
  std::printf("\n");
}

bool has_memory(const Row& row) {
  return std::any_of(row.entries.begin(), row.entries.end(),
                     [](const Row::Entry& entry) { return entry.peak_bytes > 0; });
}

}  // namespace

TimeCollector::TimeCollector()
    : ConsoleReporter(isatty(STDOUT_FILENO) != 0 ? OO_ColorTabular : OO_Tabular) {}

void TimeCollector::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration || run.iterations == 0) continue;
    const double unit = benchmark::GetTimeUnitMultiplier(run.time_unit);
    seconds_[run.run_name.function_name].push_back(run.GetAdjustedRealTime() / unit);
  }
  ConsoleReporter::ReportRuns(runs);
}

double TimeCollector::seconds(const std::string& benchmark) const {
  const auto found = seconds_.find(benchmark);
  if (found == seconds_.end()) return 0.0;
  std::vector<double> times = found->second;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

void print_table(const char* what, const std::vector<Row>& rows) {
  if (rows.empty() || rows[0].entries.empty()) return;
  std::printf("\nnanoseconds an operation of the function, %s\n", what);
  print_header(rows[0], "    function    lead");
  for (const Row& row : rows) print_times(row);
  if (std::none_of(rows.begin(), rows.end(), has_memory)) return;
  std::printf("\npeak bytes an operation, %s\n", what);
  print_header(rows[0], "");
  for (const Row& row : rows) {
    if (has_memory(row)) print_memory(row);
  }
}

}  // namespace bench
