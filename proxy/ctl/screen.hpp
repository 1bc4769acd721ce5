// A terminal that is ours for a while: its alternate screen, keys as they are typed, and the signals that concern it.
#pragma once

#include <termios.h>

#include <csignal>
#include <string>

#include "handoff/unique_fd.hpp"
#include "proxy/ctl/top_frame.hpp"

namespace baton::ctl {

class Screen {
 public:
  // Whether standard output is a terminal that can be drawn on.
  static bool is_there();
  // How large it is; the usual, if that is not known.
  static Window window();

  Screen();
  ~Screen();  // everything is as it was before
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void draw(const std::string& frame) const;

  // Can be read when there is something for `act`.
  int fd() const { return events_.get(); }
  enum class Wish { none, redraw, end };
  // Deals with keys and signals that have come.
  Wish act();

 private:
  void enter() const;
  void leave() const;
  void suspend() const;

  sigset_t blocked_before_{};
  termios modes_before_{};
  bool has_keys_ = false;  // standard input is this terminal, too
  handoff::UniqueFd signals_;
  handoff::UniqueFd events_;
};

}  // namespace baton::ctl
