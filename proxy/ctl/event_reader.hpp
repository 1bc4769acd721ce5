// The events of a text/event-stream, from its lines (HTML Standard, 9.2.6).
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace baton::ctl {

class EventReader {
 public:
  using Sink = std::function<void(std::string_view event, std::string_view data)>;

  explicit EventReader(Sink take) : take_(std::move(take)) {}

  // Without its line end. Calls the sink if an event ends with it. An event whose data exceeds `data_bytes_max` is left
  // out.
  void take_line(std::string_view line);

  static constexpr std::size_t data_bytes_max = 8 * 1024 * 1024;

 private:
  Sink take_;
  std::string event_;
  std::string data_;
  bool has_data_ = false;
  bool is_too_large_ = false;
};

}  // namespace baton::ctl
