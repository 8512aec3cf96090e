// SPDX-License-Identifier: MIT
'use strict';

// What goes through the channel, in the two ways that Node's child_process writes it: text for `json`, V8's format for `advanced`.

const v8 = require('node:v8');

const viewTag = 0;
const otherTag = 1;

class Serializer extends v8.DefaultSerializer {
  _writeHostObject(object) {
    if (ArrayBuffer.isView(object)) {
      this.writeUint32(viewTag);
      return super._writeHostObject(object);
    }
    this.writeUint32(otherTag);
    this.writeValue({ ...object });
  }
}

class Deserializer extends v8.DefaultDeserializer {
  _readHostObject() {
    return this.readUint32() === viewTag ? super._readHostObject() : this.readValue();
  }
}

module.exports = {
  json: {
    write: (message) => JSON.stringify(message),
    read: (text) => JSON.parse(text),
  },
  advanced: {
    write(message) {
      const serializer = new Serializer();
      serializer.writeHeader();
      serializer.writeValue(message);
      return serializer.releaseBuffer();
    },
    read(buffer) {
      const deserializer = new Deserializer(buffer);
      deserializer.readHeader();
      return deserializer.readValue();
    },
  },
};
