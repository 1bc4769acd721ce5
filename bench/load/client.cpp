#include "client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

void Client::ask(const Resource& resource, std::string_view request, bool close, Batch& batch) {
  since_ = std::chrono::steady_clock::now();
  batch_ = &batch;
  closes_ = close;
  if (http2_) frames_ = http2_->request(resource.path, resource.host);
  unsent_ = http2_ ? frames_ : request;
  head_.clear();
  body_left_ = 0;
  done_ = false;
  send();
}

void Client::send() {
  const ssize_t put = tls_ ? tls_->send(unsent_) : ::send(fd(), unsent_.data(), unsent_.size(), at_once);
  if (put == static_cast<ssize_t>(unsent_.size())) {
    unsent_ = {};
  } else if (tls_ && (put >= 0 || errno != EAGAIN)) {
    return batch_->lost(*this);
  } else if (!tls_) {
    if (put < 0 && errno != EAGAIN) return batch_->lost(*this);
    unsent_.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(put, 0)));
  }
  const bool waits_for_room = !tls_ && !unsent_.empty();
  if (waits_for_room != waits_for_room_) loop_.watch(*this, waits_for_room ? EPOLLOUT : EPOLLIN);
  waits_for_room_ = waits_for_room;
}

void Client::on_events(std::uint32_t) {
  if (!unsent_.empty()) {  // in the middle of a handshake, or of an upload
    send();
  } else if (!receive()) {
    return;
  }
  while (fd() >= 0 && unsent_.empty() && tls_ && tls_->has_more() && receive()) {
  }
}

bool Client::receive() {
  const bool in_body = body_left_ != 0;
  char bytes[16 * 1024];
  const ssize_t got = in_body ? receive_body()
                      : tls_  ? tls_->receive(bytes, sizeof bytes)
                              : ::recv(fd(), bytes, sizeof bytes, at_once);
  if (got < 0 && errno == EAGAIN) return false;
  if (http2_ && got > 0) {
    take_frames({bytes, static_cast<std::size_t>(got)});
  } else if (batch_ == nullptr) {
    end();  // idle: the proxy closed it, and the next request is lost
  } else if (got == 0 && done_ && closes_) {
    finish();
  } else if (got <= 0 || done_) {
    batch_->lost(*this);
  } else if (in_body) {
    count_body(static_cast<std::size_t>(got));
  } else {
    head_.append(bytes, static_cast<std::size_t>(got));
    look_at_head();
  }
  return true;
}

// Frames that answer nothing come at any time.
void Client::take_frames(std::string_view bytes) {
  std::string reply;
  if (!http2_->take(bytes, reply)) return batch_ != nullptr ? batch_->lost(*this) : end();
  if (!reply.empty()) {
    frames_ = std::move(reply);
    unsent_ = frames_;
    send();
  }
  if (batch_ != nullptr && http2_->done()) finish();
}

void Client::look_at_head() {
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == head_.npos) return;
  const char* length = ::strcasestr(head_.c_str(), "\r\ncontent-length:");
  const bool is_declared = length != nullptr && length < head_.c_str() + end;
  if (!head_.starts_with("HTTP/1.1 200 ") || (!is_declared && !closes_)) return batch_->lost(*this);
  body_left_ = is_declared ? std::strtoul(length + 17, nullptr, 10) : large_bytes;
  count_body(head_.size() - end - 4);
}

// Bodies are counted and dropped, plain ones in the kernel: copying is what the proxy is measured for, not we.
ssize_t Client::receive_body() {
  if (!tls_) return ::recv(fd(), nullptr, body_left_, at_once | MSG_TRUNC);
  char dropped[16 * 1024];
  return tls_->receive(dropped, std::min(sizeof dropped, body_left_));
}

void Client::count_body(std::size_t bytes) {
  if (bytes > body_left_) return batch_->lost(*this);
  body_left_ -= bytes;
  done_ = body_left_ == 0;
  if (done_ && !closes_) finish();
}

void Client::finish() {
  std::exchange(batch_, nullptr)->answered(*this);
}
