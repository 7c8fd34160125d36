#pragma once
// The records of an import: the lines of a file or of stdin, or the resources of another server
// (remote_input.h).

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>

#include "scim/text/result.h"

namespace scim::scimctl {

class ImportInput {
  public:
    ImportInput() = default;
    virtual ~ImportInput() = default;
    ImportInput(const ImportInput &) = delete;
    ImportInput &operator=(const ImportInput &) = delete;

    // The next record, without a line feed. False at the end. 400 if the input cannot be read.
    virtual Result<bool> next(std::string &line) = 0;
    // The part that has been read, 0 to 1; -1 if the size is unknown.
    virtual double part() const { return -1; }
    // What the number of a record counts.
    virtual const char *unit() const = 0;
    // Resources that the other server counts and has not sent.
    virtual uint64_t unsent() const { return 0; }
};

struct CloseFile {
    void operator()(FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

class FileInput : public ImportInput {
  public:
    explicit FileInput(File file);
    ~FileInput() override;

    Result<bool> next(std::string &line) override;
    double part() const override { return size_ > 0 ? read_ / size_ : -1; }
    const char *unit() const override { return "line"; }

  private:
    const File file_;
    char *line_ = nullptr;
    size_t allocated_ = 0;
    uint64_t number_ = 0;
    double size_ = -1;
    std::atomic<double> read_{0};
};

}  // namespace scim::scimctl
