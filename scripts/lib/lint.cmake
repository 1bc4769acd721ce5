# Advisory targets, where clang's tools are installed: `format` rewrites, `format-check` and `tidy` report.
# tidy reads compile_commands.json and generated headers, so build first, with the preset dev: the others compile several
# sources as one, and compile_commands.json then does not name ours.

find_program(CLANG_FORMAT clang-format-19)
find_program(RUN_CLANG_TIDY run-clang-tidy-19)

set(baton_sources "find config handoff proxy certificates clients demo examples integration-tests bench -name '*.cpp' -o -name '*.hpp'")

if(CLANG_FORMAT)
  add_custom_target(format COMMAND sh -c "${baton_sources} | xargs ${CLANG_FORMAT} -i"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
  add_custom_target(format-check COMMAND sh -c "${baton_sources} | xargs ${CLANG_FORMAT} --dry-run --Werror"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
endif()

if(RUN_CLANG_TIDY AND NOT CMAKE_UNITY_BUILD)
  add_custom_target(tidy
    COMMAND ${RUN_CLANG_TIDY} -quiet -p ${PROJECT_BINARY_DIR}
      "^${PROJECT_SOURCE_DIR}/(config|handoff|proxy|certificates|clients|demo|examples|integration-tests|bench)/"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} USES_TERMINAL VERBATIM)
endif()
