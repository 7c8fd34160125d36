#pragma once
// Limits repeated log messages and log entries to one a minute.

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace scim::service {

// Remembers up to 256 sentences by their hash. Two sentences with the same place replace each other
// and count as new whenever they alternate. At most 60 sentences a minute are new, so that a client
// that causes ever different messages cannot fill a log. Not thread-safe.
class OnceAMinute {
  public:
    // True if the sentence was not new within the last minute, and fewer than 60 sentences were new
    // in the current minute. `now` is in milliseconds.
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
    int64_t begun_ = 0;  // start of the current minute
    int new_ = 0;        // sentences that were new in the current minute
};

}  // namespace scim::service
