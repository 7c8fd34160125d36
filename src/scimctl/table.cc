#include "scimctl/table.h"

#include <algorithm>

#include "scim/text/result.h"

namespace scim::scimctl {

namespace {

// The number of characters: bytes that do not continue one.
size_t width_of(std::string_view text) {
    return size_t(std::count_if(text.begin(), text.end(),
                                [](char c) { return (uint8_t(c) & 0xc0) != 0x80; }));
}

// Text of a client must not control the terminal.
std::string shown(const std::string &cell) {
    if (cell.empty()) return "-";
    bool is_printable = true;
    for (size_t i = 0; i < cell.size(); i++) {
        const auto c = uint8_t(cell[i]),
                   next = i + 1 < cell.size() ? uint8_t(cell[i + 1]) : uint8_t(0);
        is_printable &= c >= 0x20 && c != 0x7f && !(c == 0xc2 && next < 0xa0);
    }
    return is_printable ? cell : quoted(cell);
}

}  // namespace

Table::Table(std::vector<std::string> columns) {
    for (std::string &name : columns)
        for (char &c : name)
            if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
    lines_.push_back(std::move(columns));
}

void Table::add(std::vector<std::string> cells, const store::RowWriter &row) {
    for (std::string &cell : cells) cell = shown(cell);
    lines_.push_back(std::move(cells));
    rows_.push_back(row);
}

int Table::print(const Globals &globals, store::RowWriter json, std::string_view key,
                 std::string_view none) const {
    std::vector<size_t> widths(lines_.front().size());
    for (const auto &line : lines_)
        for (size_t i = 0; i < line.size(); i++) widths[i] = std::max(widths[i], width_of(line[i]));
    std::string text;
    for (const auto &line : lines_) {
        if (!text.empty()) text += '\n';
        for (size_t i = 0; i < line.size(); i++) {
            text += line[i];
            if (i + 1 < line.size()) text.append(widths[i] - width_of(line[i]) + 2, ' ');
        }
    }
    json.rows(key, rows_);
    return scimctl::print(globals, rows_.empty() ? none : std::string_view(text), json)
               ? exit_ok
               : exit_store;
}

}  // namespace scim::scimctl
