#pragma once
// What repeats is said, or kept, once a minute.

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace scim::service {

// Remembers 256 sentences; two that share a place count as new each time they take turns. Of all, 60 a
// minute are new at most: a client that finds ever other ones fills no log. For one thread.
class OnceAMinute {
  public:
    // True if the sentence was not there in the last minute, and fewer than 60 others were new in it.
    // `now` in milliseconds.
    bool is_new(std::string_view sentence, int64_t now) {
        const size_t hash = std::hash<std::string_view>()(sentence);
        Place &place = places_[hash % places_.size()];
        if (place.used && place.hash == hash && now - place.time < minute && now >= place.time)
            return false;
        if (now - begun_ >= minute || now < begun_) {
            begun_ = now;
            new_ = 0;
        }
        if (new_ >= most) return false;
        new_++;
        place = {hash, now, true};
        return true;
    }

  private:
    static constexpr int64_t minute = 60 * 1000;
    static constexpr int most = 60;
    struct Place {
        size_t hash = 0;
        int64_t time = 0;
        bool used = false;
    };
    std::array<Place, 256> places_{};
    int64_t begun_ = 0;  // of the minute that new_ counts
    int new_ = 0;
};

}  // namespace scim::service
