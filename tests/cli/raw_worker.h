// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace muster::test {

// A worker in Python that speaks on its channel by hand, and may say what no correct one says. `body` has
//   online(), listening(port)         messages of a correct worker
//   ask(act, **members)               sends one and waits for its answer: (answer, descriptors that came with it)
//   send(object), raw(bytes), channel without an answer
//   say(object)                       a line of JSON on standard output
// and then it stays until its channel ends.
std::string raw_worker(const std::string& body);

}  // namespace muster::test
