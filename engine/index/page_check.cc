#include "engine/index/page_check.h"

#include <sys/stat.h>

#include <bit>
#include <optional>

#include "engine/util/fd.h"

namespace coffre {

namespace {

static_assert(std::endian::native == std::endian::little && sizeof(void*) == 8);

constexpr std::size_t page_header = 16;
constexpr std::size_t node_header = 8;
constexpr std::size_t table_size = 48;
constexpr std::size_t meta_size = 136;
constexpr std::uint64_t no_root = UINT64_MAX;
constexpr std::uint32_t meta_magic = 0xBEEFC0DE;
constexpr unsigned max_depth = 32;

enum PageFlag : unsigned {
    branch = 0x01,
    leaf = 0x02,
    overflow = 0x04,
    leaf2 = 0x20,
    sub_page = 0x40
};
enum NodeFlag : unsigned { big_data = 0x01, sub_table = 0x02, duplicates = 0x04 };

// The number at `at`, which must lie within.
template <class Number>
Number number_at(ByteView bytes, std::size_t at) {
    Number number{};
    std::memcpy(&number, bytes.data() + at, sizeof number);
    return number;
}

struct Table {
    unsigned depth = 0;
    std::uint64_t root = no_root;

    static Table at(ByteView bytes, std::size_t offset) {
        return {number_at<std::uint16_t>(bytes, offset + 6),
                number_at<std::uint64_t>(bytes, offset + 40)};
    }
};

// Where the entries of a page, or of a page within a node, lie.
struct Page {
    ByteView bytes;
    unsigned pad = 0;
    unsigned flags = 0;
    std::size_t lower = 0;
    std::size_t upper = 0;

    std::size_t entries() const { return (lower - page_header) / 2; }
    std::size_t entry(std::size_t i) const {
        return number_at<std::uint16_t>(bytes, page_header + 2 * i);
    }
};

std::optional<Page> page_in(ByteView bytes) {
    if (bytes.size() < page_header) return std::nullopt;
    Page const page{bytes, number_at<std::uint16_t>(bytes, 8), number_at<std::uint16_t>(bytes, 10),
                    number_at<std::uint16_t>(bytes, 12), number_at<std::uint16_t>(bytes, 14)};
    bool const fits = page.lower >= page_header && page.lower <= page.upper &&
                      page.upper <= bytes.size() && page.lower % 2 == 0;
    return fits ? std::optional(page) : std::nullopt;
}

bool fixed_entries_fit(Page const& page) {
    return page_header + page.entries() * page.pad <= page.bytes.size();
}

class PageCheck {
public:
    explicit PageCheck(int file) : file_(file) {}

    bool run() {
        auto const first = meta(0);
        if (!first) return false;
        page_size_ = number_at<std::uint32_t>(*first, 24);
        if (page_size_ < 512 || page_size_ > 65536 || !std::has_single_bit(page_size_))
            return false;
        auto const second = meta(page_size_);
        if (!second) return false;
        Bytes const& newest = transaction(*first) > transaction(*second) ? *first : *second;
        pages_ = number_at<std::uint64_t>(newest, 120) + 1;
        if (pages_ < 2 || !reaches(pages_)) return false;
        seen_.assign(pages_, false);
        return tree_is_whole(Table::at(newest, 24), false) &&
               tree_is_whole(Table::at(newest, 72), true);
    }

private:
    // As many bytes as there are.
    Bytes read(std::uint64_t offset, std::size_t size) const {
        Bytes bytes(size);
        ssize_t const got = pread_full(file_, bytes, static_cast<off_t>(offset));
        bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return bytes;
    }
    // The meta structure of the page at `offset`.
    std::optional<Bytes> meta(std::size_t offset) const {
        Bytes bytes = read(offset + page_header, meta_size);
        if (bytes.size() < meta_size) return std::nullopt;
        bool const is_ours = number_at<std::uint32_t>(bytes, 0) == meta_magic &&
                             number_at<std::uint32_t>(bytes, 4) == 1;
        return is_ours ? std::optional(std::move(bytes)) : std::nullopt;
    }
    bool reaches(std::uint64_t pages) const {
        struct stat status {};
        return ::fstat(file_, &status) == 0 &&
               pages <= static_cast<std::uint64_t>(status.st_size) / page_size_;
    }
    static std::uint64_t transaction(ByteView meta) { return number_at<std::uint64_t>(meta, 128); }

    // The page `number`, the first of `count`, which nothing else may hold. Only the first is read.
    std::optional<Bytes> take(std::uint64_t number, std::uint64_t count) {
        if (number < 2 || number >= pages_ || count > pages_ - number) return std::nullopt;
        for (std::uint64_t i = number; i < number + count; ++i) {
            if (seen_[i]) return std::nullopt;
            seen_[i] = true;
        }
        Bytes bytes = read(number * page_size_, page_size_);
        bool const is_it =
            bytes.size() == page_size_ && number_at<std::uint64_t>(bytes, 0) == number;
        return is_it ? std::optional(std::move(bytes)) : std::nullopt;
    }

    bool tree_is_whole(Table const& table, bool has_tables) {
        if (table.root == no_root) return true;
        if (table.depth == 0 || table.depth > max_depth) return false;
        return page_is_whole(table.root, table.depth, has_tables);
    }

    bool page_is_whole(std::uint64_t number, unsigned depth, bool has_tables) {
        auto const bytes = take(number, 1);
        auto const page = bytes ? page_in(*bytes) : std::nullopt;
        if (!page || page->entries() == 0) return false;
        if (depth > 1) return page->flags == branch && children_are_whole(*page, depth, has_tables);
        if (page->flags == (leaf | leaf2)) return fixed_entries_fit(*page);
        return page->flags == leaf && nodes_are_whole(*page, has_tables);
    }

    static bool node_fits(Page const& page, std::size_t node, std::uint64_t data_size) {
        if (node < page.upper || node + node_header > page.bytes.size()) return false;
        auto const key_size = number_at<std::uint16_t>(page.bytes, node + 6);
        return node + node_header + key_size + data_size <= page.bytes.size();
    }

    bool children_are_whole(Page const& page, unsigned depth, bool has_tables) {
        for (std::size_t i = 0; i < page.entries(); ++i) {
            std::size_t const node = page.entry(i);
            if (!node_fits(page, node, 0)) return false;
            std::uint64_t const child =
                number_at<std::uint32_t>(page.bytes, node) |
                std::uint64_t{number_at<std::uint16_t>(page.bytes, node + 4)} << 32U;
            if (!page_is_whole(child, depth - 1, has_tables)) return false;
        }
        return true;
    }

    bool nodes_are_whole(Page const& page, bool has_tables) {
        for (std::size_t i = 0; i < page.entries(); ++i) {
            if (!node_is_whole(page, page.entry(i), has_tables)) return false;
        }
        return true;
    }

    bool node_is_whole(Page const& page, std::size_t node, bool has_tables) {
        if (!node_fits(page, node, 0)) return false;
        auto const size = number_at<std::uint32_t>(page.bytes, node);
        auto const flags = number_at<std::uint16_t>(page.bytes, node + 4);
        std::size_t const data =
            node + node_header + number_at<std::uint16_t>(page.bytes, node + 6);
        if (flags == big_data) {
            return node_fits(page, node, 8) &&
                   overflow_is_whole(number_at<std::uint64_t>(page.bytes, data), size);
        }
        if (!node_fits(page, node, size)) return false;
        if ((flags & sub_table) != 0) {
            bool const is_expected = flags == (sub_table | duplicates) || has_tables;
            return is_expected && size == table_size &&
                   tree_is_whole(Table::at(page.bytes, data), false);
        }
        if (flags == duplicates) return sub_page_is_whole(page.bytes.subspan(data, size));
        return flags == 0;
    }

    bool overflow_is_whole(std::uint64_t number, std::uint64_t size) {
        Bytes const header = read(number * page_size_, page_header);
        if (number < 2 || number >= pages_ || header.size() < page_header) return false;
        auto const flags = number_at<std::uint16_t>(header, 10);
        auto const count = number_at<std::uint32_t>(header, 12);
        return flags == overflow && count > 0 &&
               page_header + size <= std::uint64_t{count} * page_size_ &&
               take(number, count).has_value();
    }

    static bool sub_page_is_whole(ByteView bytes) {
        auto const page = page_in(bytes);
        if (!page || (page->flags & (leaf | sub_page)) != (leaf | sub_page)) return false;
        if ((page->flags & leaf2) != 0) return fixed_entries_fit(*page);
        for (std::size_t i = 0; i < page->entries(); ++i) {
            if (!node_fits(*page, page->entry(i), 0)) return false;
        }
        return true;
    }

    int file_;
    std::uint32_t page_size_ = 0;
    std::uint64_t pages_ = 0;
    std::vector<bool> seen_;
};

}  // namespace

bool pages_are_whole(int file) {
    return PageCheck(file).run();
}

}  // namespace coffre
