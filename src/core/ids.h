// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace muster::core {

// `worker.id`: 1, 2, ... in the order of fork(), never used again.
enum class WorkerId : std::uint32_t {};
// An open descriptor of this process. The core never sees the number behind it.
enum class FdToken : std::uint64_t {};
// One listening socket of the primary.
enum class ListenerId : std::uint32_t {};
// A listening socket of the primary, as a worker's queue numbers it.
enum class QueueNumber : std::uint32_t {};
// One server of a worker, from its listen() to its close.
enum class ServerId : std::uint32_t {};
// Numbers the cluster messages a process sends; a reply names the one it answers.
enum class Seq : std::uint64_t {};
// A send() whose sender wants to know how it ended.
enum class SendId : std::uint64_t {};
// A callback of cluster.disconnect().
enum class CallbackId : std::uint64_t {};

}  // namespace muster::core
