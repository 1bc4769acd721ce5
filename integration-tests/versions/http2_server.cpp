#include "http2_server.hpp"

#include <nghttp2/nghttp2.h>

#include <map>
#include <memory>

#include "harness/http2_frames.hpp"
#include "kinds.hpp"

namespace baton::versions {

using namespace harness;
using namespace http2;

namespace {

// One connection.
class Service {
 public:
  Service(Stream& stream, Gate& gate) : stream_(stream), gate_(gate) {
    nghttp2_hd_inflater* inflater = nullptr;
    if (nghttp2_hd_inflate_new(&inflater) != 0) throw Failure("no inflater");
    inflater_.reset(inflater);
  }

  void serve() {
    stream_.read_exactly(preface.size());
    stream_.send(frame(settings_type, 0, 0, ""));
    for (;;) take(read_frame(stream_));
  }

 private:
  void take(const Frame& frame) {
    if (frame.type == settings_type && (frame.flags & acknowledges) == 0) {
      return stream_.send(http2::frame(settings_type, acknowledges, 0, ""));
    }
    if (frame.type == data) bodies_[frame.stream] += frame.payload;
    if (frame.type == headers) paths_[frame.stream] = path_in(frame.payload);
    if (frame.type == headers || frame.type == data) answer(frame.stream, (frame.flags & ends_stream) != 0);
  }

  std::string path_in(std::string_view block) {
    std::string path;
    for (bool is_over = false; !is_over;) {
      nghttp2_nv field;
      int flags = 0;
      const auto taken = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags,
                                                reinterpret_cast<const std::uint8_t*>(block.data()), block.size(), 1);
      if (taken < 0) throw Failure("a broken header block");
      block.remove_prefix(static_cast<std::size_t>(taken));
      const auto text = [](const std::uint8_t* bytes, std::size_t count) {
        return std::string(reinterpret_cast<const char*>(bytes), count);
      };
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && text(field.name, field.namelen) == ":path") {
        path = text(field.value, field.valuelen);
      }
      is_over = (flags & NGHTTP2_HD_INFLATE_FINAL) != 0;
    }
    nghttp2_hd_inflate_end_headers(inflater_.get());
    return path;
  }

  void answer(std::uint32_t stream, bool is_whole) {
    const std::string path = paths_[stream];
    if (path.ends_with("/upload")) {
      if (is_whole) respond(stream, bodies_[stream] == body_of_kinds() ? "as sent" : "changed");
      if (awaits_upload_ != 0 && bodies_[stream].size() >= passed_bytes) {
        give_download(std::exchange(awaits_upload_, 0));
      }
    } else if (path.ends_with("/download")) {
      give_download(stream);
    } else if (path.ends_with("/download-with-upload")) {
      awaits_upload_ = stream;
      for (const auto& [other, body] : bodies_) {
        if (body.size() >= passed_bytes) return give_download(std::exchange(awaits_upload_, 0));
      }
    } else {
      respond(stream, pattern(std::stoul(path.substr(path.rfind('/') + 1))));
    }
  }

  void respond(std::uint32_t stream, const std::string& body) {
    stream_.send(head(stream, body) + frame(data, ends_stream, stream, body));
  }

  void give_download(std::uint32_t stream) {
    const std::string& body = body_of_kinds();
    const std::string rest = frame(data, ends_stream, stream, body.substr(passed_bytes));
    stream_.send(head(stream, body) + frame(data, 0, stream, body.substr(0, passed_bytes)) +
                 rest.substr(0, cut_frame_bytes));
    gate_.pass();
    stream_.send(rest.substr(cut_frame_bytes));
  }

  std::string head(std::uint32_t stream, const std::string& body) {
    const std::string field = has_named_itself_ ? std::string(newest) : literal(new_server, "recorded");
    has_named_itself_ = true;
    return frame(headers, ends_headers, stream,
                 std::string(status_200) + literal(content_length, std::to_string(body.size())) + field);
  }

  struct Deleted {
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };

  Stream& stream_;
  Gate& gate_;
  std::unique_ptr<nghttp2_hd_inflater, Deleted> inflater_;
  std::map<std::uint32_t, std::string> paths_;
  std::map<std::uint32_t, std::string> bodies_;
  std::uint32_t awaits_upload_ = 0;  // the stream whose download begins when an upload has
  bool has_named_itself_ = false;
};

}  // namespace

Http2Server::Http2Server(Gate& gate)
    : gate_(gate), server_([&gate](Stream& stream) { Service(stream, gate).serve(); }) {}

}  // namespace baton::versions
