#include "proxy/ctl/event_reader.hpp"

#include <gtest/gtest.h>

namespace baton::ctl {
namespace {

std::string read(std::initializer_list<std::string_view> lines) {
  std::string all;
  EventReader reader(
      [&](std::string_view event, std::string_view data) { all.append(event).append("=").append(data).append(";"); });
  for (const std::string_view line : lines) reader.take_line(line);
  return all;
}

TEST(EventReader, TakesEventsAtTheirEnds) {
  EXPECT_EQ(read({"retry: 500", "", "event: status", "data: {}", ""}), "status={};");
  EXPECT_EQ(read({"event: a", "data: 1", "", "event: b", "data:2\r", "\r"}), "a=1;b=2;");
  EXPECT_EQ(read({"event: a", "data: 1"}), "") << "it has not ended";
}

TEST(EventReader, KnowsCommentsLinesOfDataAndOtherFields) {
  EXPECT_EQ(read({":", ": still here", "id: 7", "event: a", "data: 1", "data: 2", "data", ""}), "a=1\n2\n;");
  EXPECT_EQ(read({"event: a", "", "data: 1", ""}), "=1;") << "without data it is none";
}

TEST(EventReader, LeavesOutWhatIsTooLarge) {
  const std::string half(EventReader::data_bytes_max / 2 + 1, 'x');
  EXPECT_EQ(read({"event: a", "data: " + half, "data: " + half, "data: 1", "", "event: b", "data: 2", ""}), "b=2;");
}

}  // namespace
}  // namespace baton::ctl
