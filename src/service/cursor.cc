// text    := base64url without padding of: version:u8 salt:16 sealed tag:16
// sealed  := payload, encrypted by AES-256-GCM with
//                key              HMAC-SHA256(cursor key of the tenant, salt)
//                nonce            zeros, because a key is used once
//                associated data  version salt tenant:u32
// payload := made:i64 type:u16 filter:u64 sorting:u64 count:varint has_value:u8 after_type:u16
//            after_id:16 size:varint key unicode
//
// `size` is that of `key`; `unicode` is the rest. Numbers are little-endian. The version changes with
// this format and with the sort keys (sort.h).

#include "service/cursor.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <memory>
#include <new>

#include "scim/text/base64.h"
#include "scim/text/datetime.h"
#include "scim/text/text.h"
#include "store/bytes.h"

namespace scim::service {

namespace {

constexpr char version = 1;
constexpr size_t tag_size = 16, head_size = 1 + std::tuple_size_v<CursorSalt>;
// A sort key has at most 336 bytes.
constexpr size_t text_max = 1024;

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX *context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

unsigned char *bytes_of(std::string &text) { return reinterpret_cast<unsigned char *>(&text[0]); }
const unsigned char *bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char *>(text.data());
}

// A cipher with key, nonce and associated data for a cursor that begins with `head`: version, salt.
// Throws if memory is short.
Cipher start(const CursorOwner &owner, std::string_view head, bool encrypts) {
    unsigned char key[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int ignored = 0;
    const std::string_view salt = head.substr(1);
    HMAC(EVP_sha256(), owner.key.data(), int(owner.key.size()), bytes_of(salt), salt.size(), key,
         &size);
    constexpr unsigned char nonce[12] = {};
    std::string data(head);
    store::append_le(data, owner.tenant, 4);
    Cipher cipher(EVP_CIPHER_CTX_new());
    const bool is_ready =
        size == 32 && cipher != nullptr &&
        EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key, nonce, encrypts) == 1 &&
        EVP_CipherUpdate(cipher.get(), nullptr, &ignored, bytes_of(std::string_view(data)),
                         int(data.size())) == 1;
    OPENSSL_cleanse(key, sizeof key);
    if (!is_ready) throw std::bad_alloc();
    return cipher;
}

Error not_ours() {
    return Error{Refusal::cursor_invalid,
                 "the cursor is invalid: this server has not made it for this tenant, or it "
                 "is not complete; send an empty cursor to start again"};
}

Error of_another_query(std::string_view what) {
    return Error{Refusal::cursor_of_other_query,
                 "the cursor was made for another query: its " + std::string(what) +
                     "; send all parameters of the first page with each cursor"};
}

}  // namespace

std::string encode_cursor(const PageCursor &cursor) {
    const Position &after = cursor.after;
    std::string out;
    store::append_le(out, uint64_t(cursor.made), 8);
    store::append_le(out, cursor.query.type, 2);
    store::append_le(out, cursor.query.filter, 8);
    store::append_le(out, cursor.query.sorting, 8);
    store::append_varint(out, cursor.query.count);
    store::append_le(out, after.has_value ? 1 : 0, 1);
    store::append_le(out, after.type, 2);
    out.append(reinterpret_cast<const char *>(after.id.data()), after.id.size());
    store::append_varint(out, after.key.size());
    out += after.key;
    out += cursor.unicode;
    return out;
}

std::optional<PageCursor> decode_cursor(std::string_view bytes) {
    store::ByteReader in(bytes);
    PageCursor cursor;
    Position &after = cursor.after;
    cursor.made = int64_t(in.le(8));
    cursor.query.type = TypeNumber(in.le(2));
    cursor.query.filter = in.le(8);
    cursor.query.sorting = in.le(8);
    cursor.query.count = in.varint();
    after.has_value = in.le(1) != 0;
    after.type = TypeNumber(in.le(2));
    const std::string_view id = in.bytes(after.id.size());
    std::copy(id.begin(), id.end(), after.id.begin());
    after.key = in.bytes(in.varint());
    cursor.unicode = in.bytes(in.left());
    if (in.failed()) return std::nullopt;
    return cursor;
}

std::string seal_cursor(const CursorOwner &owner, const PageCursor &cursor,
                        const CursorSalt &salt) {
    std::string sealed(1, version);
    sealed.append(reinterpret_cast<const char *>(salt.data()), salt.size());
    const Cipher cipher = start(owner, sealed, true);
    const std::string payload = encode_cursor(cursor);
    sealed.resize(head_size + payload.size() + tag_size);
    int written = 0, rest = 0;
    unsigned char *out = bytes_of(sealed) + head_size;
    const bool is_sealed =
        EVP_CipherUpdate(cipher.get(), out, &written, bytes_of(std::string_view(payload)),
                         int(payload.size())) == 1 &&
        EVP_CipherFinal_ex(cipher.get(), out + written, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, out + payload.size()) ==
            1;
    if (!is_sealed) throw std::bad_alloc();
    std::string text;
    append_base64url(text, sealed);
    return text;
}

Result<PageCursor> open_cursor(const CursorOwner &owner, std::string_view text) {
    if (text.size() > text_max) return not_ours();
    auto sealed = parse_base64url(text);
    if (!sealed || sealed->size() < head_size + tag_size || sealed->front() != version)
        return not_ours();
    const Cipher cipher = start(owner, std::string_view(*sealed).substr(0, head_size), false);
    const size_t size = sealed->size() - head_size - tag_size;
    std::string payload(size, '\0');
    int written = 0, rest = 0;
    unsigned char *in = bytes_of(*sealed) + head_size, *out = bytes_of(payload);
    const bool is_ours =
        EVP_CipherUpdate(cipher.get(), out, &written, in, int(size)) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, in + size) == 1 &&
        EVP_CipherFinal_ex(cipher.get(), out + written, &rest) == 1;
    auto cursor = is_ours ? decode_cursor(payload) : std::nullopt;
    if (!cursor) return not_ours();
    return std::move(*cursor);
}

Outcome check_cursor(const PageCursor &cursor, const WalkQuery &query, int64_t now,
                     int64_t timeout) {
    const WalkQuery &first = cursor.query;
    if (first.type != query.type) return of_another_query("endpoint differs");
    if (first.filter != query.filter) return of_another_query("filter differs");
    if (first.sorting != query.sorting) return of_another_query("sortBy or sortOrder differs");
    if (first.count != query.count)
        return Error{Refusal::cursor_count,
                     "\"count\" is " + std::to_string(query.count) +
                         ", but the cursor was made with " + std::to_string(first.count) +
                         "; all pages have the count of the first, 100 if it is absent"};
    const int64_t end = cursor.made + timeout * 1000;
    if (now >= end)
        return Error{Refusal::cursor_expired,
                     "the cursor expired at " + time_text(end) + ", scim_cursor_timeout (" +
                         std::to_string(timeout) +
                         " seconds) after it was made; send an empty cursor to start again"};
    if (cursor.after.has_value && cursor.unicode != unicode_version())
        return Error{Refusal::cursor_outdated,
                     "the cursor was made with Unicode " + quoted(cursor.unicode) +
                         ", but this server now sorts by " + quoted(unicode_version()) +
                         "; send an empty cursor to start again"};
    return Done{};
}

}  // namespace scim::service
