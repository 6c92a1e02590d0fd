// main() for every Catch2 executable on version 2; version 3 brings its own (catch2-with-main).
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
