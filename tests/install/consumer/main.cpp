// SPDX-License-Identifier: MIT
#include <iostream>

#include <muster/muster.h>

int main(int argc, char** argv) {
  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  if (cluster.is_primary()) {
    cluster.on_message([](muster::Worker worker, muster::Message& message) {
      std::cout << worker << " says " << message.data.as_string() << "\n";
      worker.disconnect();
    });
    cluster.fork();
  } else {
    cluster.worker()->send("hello");
  }
  return loop.run();
}
