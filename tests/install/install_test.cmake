# SPDX-License-Identifier: MIT
# cmake -D BUILD=... -D FOLDER=... -D CONSUMER=... -D GENERATOR=... -P install_test.cmake: installs a build, builds a project that finds it there, and
# runs what came of both.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect text)
  if(NOT output MATCHES "${text}")
    message(FATAL_ERROR "not \"${text}\": ${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${FOLDER})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${FOLDER}/installed)
run(${FOLDER}/installed/bin/muster --version)
expect("0\\.1\\.0")
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${CONSUMER} -B ${FOLDER}/consumer -D CMAKE_PREFIX_PATH=${FOLDER}/installed)
run(${CMAKE_COMMAND} --build ${FOLDER}/consumer)
run(${FOLDER}/consumer/consumer)
expect("worker 1 says hello")
