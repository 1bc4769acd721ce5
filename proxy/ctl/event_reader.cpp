#include "proxy/ctl/event_reader.hpp"

namespace baton::ctl {

void EventReader::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) {
    if (has_data_ && !is_too_large_) take_(event_, data_);
    event_.clear();
    data_.clear();
    has_data_ = is_too_large_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") {
    event_ = value;
  } else if (name == "data") {
    is_too_large_ |= data_.size() + value.size() > data_bytes_max;
    if (is_too_large_) return;
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  }
}

}  // namespace baton::ctl
