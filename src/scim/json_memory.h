#pragma once
// Tells a lack of memory from a syntax error: Jansson reports both in the same way, and its parser
// drops bytes of a text that it has no memory for.

namespace scim {

// Watches the allocations that Jansson makes on this thread, from here to the end of the scope.
class JsonMemory {
  public:
    JsonMemory();
    // True if one has failed: what Jansson returned must not be used.
    bool failed() const;
};

}  // namespace scim
