// Secret bytes: never copied by growth, wiped before they are freed.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace baton::handoff {

class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t bytes) : bytes_(new char[bytes]()), size_(bytes) {}
  explicit SecretBytes(std::string_view from) : SecretBytes(from.size()) {
    if (!from.empty()) std::memcpy(bytes_.get(), from.data(), from.size());
  }
  SecretBytes(SecretBytes&& other) noexcept
      : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    cleanse();
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~SecretBytes() { cleanse(); }

  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  void cleanse() {
    if (bytes_) ::explicit_bzero(bytes_.get(), size_);
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace baton::handoff
