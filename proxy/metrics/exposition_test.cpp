#include "proxy/metrics/exposition.hpp"

#include <gtest/gtest.h>

#include <array>

namespace baton::metrics {
namespace {

std::string written(Format format) {
  static constexpr std::array<std::uint64_t, 2> bounds{1, 1'000};
  Exposition out(format);
  out.family("build_info", Type::info, "A.");
  out.sample(Labels{{"version", "1\"2"}}, std::uint64_t{1});
  out.family("a_total", Type::counter, "B.");
  out.sample(std::string_view(), std::uint64_t{18'446'744'073'709'551'615U});
  out.family({"cpu_total", Type::counter, "C."}, "process_");
  out.sample(std::string_view(), 0.25);
  out.family({"d_seconds", Type::histogram, "D.", bounds, 1e-3});
  const std::array<std::uint64_t, 4> numbers{2, 1, 4, 5'500};
  out.histogram(R"({route="x"})", numbers);
  out.histogram("", numbers);
  out.histogram("", std::span(numbers).first(3));  // of other bounds
  return std::move(out).take();
}

TEST(Exposition, IsPrometheusText) {
  EXPECT_EQ(written(Format::prometheus), R"(# HELP baton_build_info A.
# TYPE baton_build_info gauge
baton_build_info{version="1\"2"} 1
# HELP baton_a_total B.
# TYPE baton_a_total counter
baton_a_total 18446744073709551615
# HELP process_cpu_total C.
# TYPE process_cpu_total counter
process_cpu_total 0.25
# HELP baton_d_seconds D.
# TYPE baton_d_seconds histogram
baton_d_seconds_bucket{route="x",le="0.001"} 2
baton_d_seconds_bucket{route="x",le="1"} 3
baton_d_seconds_bucket{route="x",le="+Inf"} 7
baton_d_seconds_sum{route="x"} 5.500000
baton_d_seconds_count{route="x"} 7
baton_d_seconds_bucket{le="0.001"} 2
baton_d_seconds_bucket{le="1"} 3
baton_d_seconds_bucket{le="+Inf"} 7
baton_d_seconds_sum 5.500000
baton_d_seconds_count 7
)");
}

TEST(Exposition, IsOpenMetrics) {
  EXPECT_EQ(written(Format::openmetrics), R"(# HELP baton_build A.
# TYPE baton_build info
baton_build_info{version="1\"2"} 1
# HELP baton_a B.
# TYPE baton_a counter
baton_a_total 18446744073709551615
# HELP process_cpu C.
# TYPE process_cpu counter
process_cpu_total 0.25
# HELP baton_d_seconds D.
# TYPE baton_d_seconds histogram
baton_d_seconds_bucket{route="x",le="0.001"} 2
baton_d_seconds_bucket{route="x",le="1.0"} 3
baton_d_seconds_bucket{route="x",le="+Inf"} 7
baton_d_seconds_sum{route="x"} 5.500000
baton_d_seconds_count{route="x"} 7
baton_d_seconds_bucket{le="0.001"} 2
baton_d_seconds_bucket{le="1.0"} 3
baton_d_seconds_bucket{le="+Inf"} 7
baton_d_seconds_sum 5.500000
baton_d_seconds_count 7
# EOF
)");
}

TEST(Exposition, HasTheFormatThatARequestWants) {
  EXPECT_EQ(format_for(""), Format::prometheus);
  EXPECT_EQ(format_for("*/*"), Format::prometheus);
  EXPECT_EQ(format_for("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Format::openmetrics);
  EXPECT_EQ(format_for("application/openmetrics-text;q=0"), Format::prometheus);
  EXPECT_EQ(format_for("text/plain;q=0.9,application/openmetrics-text;q=0.1"), Format::prometheus);
  EXPECT_EQ(content_type(Format::prometheus), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace baton::metrics
