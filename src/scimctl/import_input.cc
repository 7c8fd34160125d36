#include "scimctl/import_input.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "service/import.h"

namespace scim::scimctl {

FileInput::FileInput(File file) : file_(std::move(file)) {
    struct stat st;
    if (fstat(fileno(file_.get()), &st) == 0 && S_ISREG(st.st_mode)) size_ = double(st.st_size);
}

FileInput::~FileInput() { std::free(line_); }

Result<bool> FileInput::next(std::string &line) {
    const ssize_t length = getline(&line_, &allocated_, file_.get());
    if (length < 0) {
        if (std::ferror(file_.get()) == 0) return false;
        return Error{Refusal::import_input,
                     std::string("cannot read the input: ") + std::strerror(errno)};
    }
    number_++;
    read_ = read_ + double(length);
    if (size_t(length) > service::line_most)
        return Error{Refusal::import_input,
                     "line " + std::to_string(number_) + " is longer than 512 MiB"};
    line.assign(line_, size_t(length));
    if (!line.empty() && line.back() == '\n') line.pop_back();
    return true;
}

}  // namespace scim::scimctl
