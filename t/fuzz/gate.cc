// Decisions of the access gate for any users, groups in groups, requirements and subjects, compared
// with the naive model of t/unit/gate_model.h: in a store of a temporary directory, which TMPDIR may
// place in memory.
//
//     input := by:u8 size:u8 subject choices      each byte of `choices` is one choice of the model

#include <cstdlib>

#include "unit/gate_model.h"

namespace {

class Bytes final : public fixture::Choices {
  public:
    Bytes(const uint8_t *data, size_t size) : at_(data), left_(size) {}
    bool more() const { return left_ > 0; }
    size_t below(size_t n) override { return byte() % n; }
    uint8_t byte() {
        if (left_ == 0) return 0;
        left_--;
        return *at_++;
    }
    std::string bytes() {
        std::string out;
        for (size_t size = byte(); size > 0 && more(); size--) out += char(byte());
        return out;
    }

  private:
    const uint8_t *at_;
    size_t left_;
};

void require(const std::string &wrong) {
    if (wrong.empty()) return;
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    // A new store before the old one is full.
    constexpr size_t inputs_a_store = 2000;
    static size_t inputs;
    static std::unique_ptr<fixture::GateWorld> world;
    if (inputs++ % inputs_a_store == 0) world = std::make_unique<fixture::GateWorld>();

    Bytes bytes(data, size);
    const char *names[] = {"id", "userName", "externalId"};
    const std::string by = names[bytes.byte() % 3], subject = bytes.bytes();
    if (world->is_somebody(by, subject) && !world->is_value(by, subject))
        require(by + " finds somebody else");
    if (!bytes.more()) return 0;
    world->forget();
    world->change(bytes);
    require(world->compare_reads(bytes.chance(50)));
    for (size_t decisions = 0; decisions < 8 && bytes.more(); decisions++)
        require(world->compare(bytes));
    return 0;
}
