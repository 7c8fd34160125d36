#pragma once
// The output of a command that lists things as a table: a line with the names of the columns, then a
// line for each thing, in columns that are as wide as their longest cell. An empty cell is shown as
// "-". With --json, an object for each thing in an array instead.

#include <string>
#include <string_view>
#include <vector>

#include "scimctl/context.h"

namespace scim::scimctl {

class Table {
  public:
    // The names of the columns are shown in capital letters.
    explicit Table(std::vector<std::string> columns);

    // REQUIRES: as many cells as columns, in UTF-8.
    void add(std::vector<std::string> cells, const store::RowWriter &row);
    // Prints the table, or `none` if it has no lines; with --json, `json` with the array as its
    // member `key`. Returns the exit code.
    int print(const Globals &globals, store::RowWriter json, std::string_view key,
              std::string_view none) const;

  private:
    std::vector<std::vector<std::string>> lines_;  // the first one has the names of the columns
    std::vector<store::RowWriter> rows_;
};

}  // namespace scim::scimctl
