// Apart from the rest of the program, which tests link under other versions' names.
#pragma once

namespace baton {

const char* version();

}  // namespace baton
