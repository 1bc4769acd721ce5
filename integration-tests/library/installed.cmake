# handoff/ as its users get it: built as a project of its own, installed into an empty prefix, found by the examples there.
#   cmake -D SOURCE=… -D WORK=… -D COMPILER=… -D LAUNCHER=… -P installed.cmake
cmake_minimum_required(VERSION 3.24)
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${WORK})
set(options -G Ninja -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})

run(${CMAKE_COMMAND} -S ${SOURCE}/handoff -B ${WORK}/handoff ${options})
run(${CMAKE_COMMAND} --build ${WORK}/handoff)
run(${CMAKE_COMMAND} --install ${WORK}/handoff --prefix ${prefix})

# Each header compiles alone, and a second time after itself, with nothing to be found but what is installed.
file(GLOB headers RELATIVE ${prefix}/include/baton ${prefix}/include/baton/handoff/*.hpp)
list(LENGTH headers count)
if(count LESS 10)
  message(FATAL_ERROR "only ${count} headers are installed")
endif()
foreach(header IN LISTS headers)
  file(WRITE ${WORK}/alone.cpp "#include \"${header}\"\n#include \"${header}\"\n")
  run(${COMPILER} -std=c++23 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I${prefix}/include/baton ${WORK}/alone.cpp)
  file(STRINGS ${prefix}/include/baton/${header} generated REGEX "#include.*(google/|\\.pb\\.h)")
  if(generated)
    message(FATAL_ERROR "${header} needs protobuf: ${generated}")
  endif()
endforeach()

# A copy of the examples, so that nothing beside them can be found by accident; and without protoc.
file(COPY ${SOURCE}/examples DESTINATION ${WORK})
run(${CMAKE_COMMAND} -S ${WORK}/examples -B ${WORK}/build ${options} -D CMAKE_PREFIX_PATH=${prefix}
  -D Protobuf_PROTOC_EXECUTABLE=/no/protoc)
run(${CMAKE_COMMAND} --build ${WORK}/build)

# A consumer that asks for another version is told no.
file(WRITE ${WORK}/demanding/CMakeLists.txt
  "cmake_minimum_required(VERSION 3.24)\nproject(demanding CXX)\nfind_package(baton_handoff 99 REQUIRED)\n")
execute_process(COMMAND ${CMAKE_COMMAND} -S ${WORK}/demanding -B ${WORK}/demanding/build ${options}
  -D CMAKE_PREFIX_PATH=${prefix} RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE output)
if(result EQUAL 0 OR NOT output MATCHES "version.*0\\.1")
  message(FATAL_ERROR "version 99 was found: ${output}")
endif()
