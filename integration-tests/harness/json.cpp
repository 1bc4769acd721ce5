// Boost.JSON is used header-only; this file holds its one definition.
#include <boost/json/src.hpp>
