// Compares decisions of the access gate, and reads of SCIM, with a naive model: random users, groups
// in groups and requirements. Damaged conditions and subjects of random bytes do not crash.
//
//     SCIM_SEED=n SCIM_CASES=n gate_random.t

#include <cstdlib>
#include <random>

#include "gate_model.h"

using namespace scim;
using namespace scim::service;
using fixture::GateWorld;

namespace {

unsigned long number_of(const char *variable, unsigned long otherwise) {
    const char *text = getenv(variable);
    return text != nullptr ? strtoul(text, nullptr, 10) : otherwise;
}

class Dice final : public fixture::Choices {
  public:
    explicit Dice(unsigned long seed) : dice_(unsigned(seed)) {}
    size_t below(size_t n) override {
        return std::uniform_int_distribution<size_t>(0, n - 1)(dice_);
    }
    std::string bytes() {
        std::string bytes(below(40), '\0');
        for (char &c : bytes) c = char(below(256));
        return bytes;
    }

  private:
    std::mt19937 dice_;
};

}  // namespace

int main() {
    const unsigned long seed = number_of("SCIM_SEED", std::random_device()());
    const size_t cases = number_of("SCIM_CASES", 2000);
    diag("SCIM_SEED=" + std::to_string(seed));
    Dice dice(seed);
    GateWorld world;
    std::string wrong, wrong_reads;
    for (size_t i = 0; i < cases && wrong.empty(); i++) {
        if (i % 5 == 0) world.change(dice);
        wrong = world.compare(dice);
        if (i % 20 == 0 && wrong_reads.empty()) wrong_reads = world.compare_reads(i % 40 == 0);
    }
    is(wrong, "", std::to_string(cases) + " decisions for each user are those of the model");
    ok(world.cached() > cases / 4, "the cache of the gate has answered for many of them");
    is(wrong_reads, "", "\"groups\" and filters of groups are those of the model");
    size_t accepted = 0;
    for (size_t i = 0; i < cases; i++) {
        const char *by[] = {"id", "userName", "externalId"};
        accepted += world.is_somebody(by[dice.below(3)], dice.bytes());
        const char *names[] = {"", "group=", "group_id=", "role=", "filter=", "error="};
        const std::string text = names[dice.below(6)] + dice.bytes();
        (void)bool(parse_requirement({text}));
    }
    is(accepted, size_t(0), "random bytes name no user, and damaged conditions do not crash");
    return tap::done();
}
