// Judges of what streams of HTTP/2 receive: an answer, endless bytes, events. The contents are those of the other kinds
// of clients (dialogue.hpp).
#pragma once

#include <functional>

#include "clients/content.hpp"
#include "clients/events.hpp"
#include "clients/http2_session.hpp"

namespace baton::clients {

// A response with status 200. If it repeats its target in `echo_field`, that must be the right one.
class Http2ResponseJudge : public Http2Judge {
 public:
  explicit Http2ResponseJudge(std::string target) : target_(std::move(target)) {}

  std::string on_head(unsigned status, const Http2Fields& fields) final;
  std::string on_body(std::string_view bytes) final;
  std::string on_trailers(const Http2Fields& fields) final;
  std::string on_end() final;

  const std::string& target() const { return target_; }
  bool has_head() const { return has_head_; }
  bool has_ended() const { return has_ended_; }
  std::uint64_t body_bytes() const { return body_bytes_; }  // that were received and right

 protected:
  virtual std::string head(const Http2Fields&) { return {}; }
  virtual std::string trailers(const Http2Fields&) { return "trailers"; }
  virtual std::string take(std::string_view bytes) = 0;
  virtual std::string end() = 0;

 private:
  std::string target_;
  bool has_head_ = false;
  bool has_ended_ = false;
  std::uint64_t body_bytes_ = 0;
};

// A whole body, which the caller knows when it has come to its end.
class Http2AnswerJudge final : public Http2ResponseJudge {
 public:
  using Body = std::function<std::string()>;
  Http2AnswerJudge(std::string target, Body expected)
      : Http2ResponseJudge(std::move(target)), expected_(std::move(expected)) {}

 private:
  std::string take(std::string_view bytes) override;
  std::string end() override;

  Body expected_;
  std::string body_;
};

// The Content of its target, without end.
class Http2DownloadJudge final : public Http2ResponseJudge {
 public:
  explicit Http2DownloadJudge(const std::string& target) : Http2ResponseJudge(target), content_(target) {}

 private:
  std::string take(std::string_view bytes) override;
  std::string end() override { return "the end of a body without end"; }

  Content content_;
};

// Server-sent events, each by its number.
class Http2EventsJudge final : public Http2ResponseJudge {
 public:
  explicit Http2EventsJudge(const std::string& target) : Http2ResponseJudge(target), events_(target) {}

  std::uint64_t events() const { return events_.events(); }

 private:
  std::string take(std::string_view bytes) override { return events_.take_data(bytes); }
  std::string end() override { return events_.is_within_an_event() ? "the end within an event" : ""; }

  EventJudge events_;
};

}  // namespace baton::clients
