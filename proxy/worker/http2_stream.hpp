// A stream of a client's HTTP/2, for the files of Http2Side only.
#pragma once

#include "proxy/worker/http2_side.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

class Http2Side::Stream final : public runtime::DeadlineEntry, public runtime::Disposable, public state::Allocated {
 public:
  Stream(Http2Side& of, state::ClientSide& side)
      : runner(of.worker_, of.connection_, side), worker_(of.worker_), of_(of) {
    worker_.note_streams(1);
  }
  // Its connection may be gone by then.
  ~Stream() override { worker_.note_streams(-1); }

  void on_deadline() override { of_.on_deadline(*this); }
  state::ClientSide& side() const { return runner.side(); }
  state::Flow& flow() const { return runner.side().client; }
  std::uint32_t id() const { return flow().stream->id; }

  ExchangeRunner runner;
  bool is_touched = true;
  bool is_finished = false;
  bool waits_for_room = true;  // something is to be sent

 private:
  Worker& worker_;
  Http2Side& of_;
};

}  // namespace baton::proxy
