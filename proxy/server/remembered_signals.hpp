// Signals that arrive during a conversation. The process that is the instance afterwards, this one or the other, obeys
// them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace baton::proxy {

class RememberedSignals {
 public:
  // Insists on the memory for it.
  void remember(int signal);
  // Signals that the predecessor remembered came first but are obeyed like the rest; `reserve` makes room for `more`.
  void reserve(std::size_t more) { signals_.reserve(signals_.size() + more); }
  void append(const std::vector<int>& more) { signals_.insert(signals_.end(), more.begin(), more.end()); }
  // It was already obeyed on arrival.
  void forget(int signal);

  const std::vector<int>& all() const { return signals_; }
  // All signals so far are sent to the other process with Done.
  void note_sent() { sent_ = signals_.size(); }
  // The signals that came too late for that.
  std::span<const int> not_sent() const { return std::span(signals_).subspan(sent_); }

  // The order in which to obey them: each kind once, and of those that stop or replace this process only one, last.
  std::vector<int> to_obey() const;

 private:
  std::vector<int> signals_;
  std::size_t sent_ = 0;
};

}  // namespace baton::proxy
