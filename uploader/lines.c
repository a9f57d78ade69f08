/* Lines of JSON, in one pass: where each ends, that it is an event, what it says of itself, its id.

   What is odd in any way is left to Python: whatever is taken for an event here is one there, and
   says the same of itself. Strict JSON (RFC 8259) in UTF-8 (RFC 3629), one object a line.

   SHA-256 is the caller's, with the interface of OpenSSL's EVP. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define EXPORT __attribute__((visibility("default")))

#define VERSION 2
#define ID_BYTES 32
#define DEEPEST 64
#define LONGEST_LABEL 100
#define LONGEST_NUMBER 100

struct span {
    uint32_t start, size; /* without quotes; of size 0 where there is none */
};

struct line {
    uint32_t end; /* behind its newline */
    uint32_t like; /* the first of the lines in a row up to this one that name the same package */
    struct span type, date, name, version;
};

struct hash {
    void *(*new_context)(void);
    int (*begin)(void *context, const void *algorithm, void *engine);
    int (*update)(void *context, const void *data, size_t size);
    int (*end)(void *context, uint8_t *digest, unsigned int *size);
    void (*free_context)(void *context);
    const void *algorithm;
};

struct reader {
    const uint8_t *data, *at, *end; /* `at` never passes `end` */
};

/* Fields that count are taken once: Python would take the last of several. */
enum { TYPE = 1, CONTEXT = 2, DATE = 4, FLOWER = 8, PACKAGE = 16, NAME = 32, PACKAGE_VERSION = 64 };

struct package {
    unsigned seen;
    bool empty;
    struct span name, version;
};

struct event {
    unsigned seen;
    struct line *line;
    struct package flower, package, *current;
};

typedef bool (*member_reader)(struct reader *, struct event *, struct span key, int depth);

static bool is_next(const struct reader *r, uint8_t byte)
{
    return r->at < r->end && *r->at == byte;
}

static bool take(struct reader *r, uint8_t byte)
{
    if (!is_next(r, byte))
        return false;
    r->at++;
    return true;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

static bool is_continuation(const uint8_t *byte, uint8_t low, uint8_t high)
{
    return low <= *byte && *byte <= high;
}

/* Take one character of more than one byte. */
static bool wide_character(struct reader *r)
{
    const uint8_t *at = r->at;
    size_t left = (size_t)(r->end - at), size = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    uint8_t low = 0x80, high = 0xBF;

    if (at[0] < 0xC2 || at[0] > 0xF4 || left < size)
        return false;
    if (at[0] == 0xE0)
        low = 0xA0; /* else it has a shorter form */
    else if (at[0] == 0xED)
        high = 0x9F; /* else it is half of a pair */
    else if (at[0] == 0xF0)
        low = 0x90;
    else if (at[0] == 0xF4)
        high = 0x8F;
    if (!is_continuation(at + 1, low, high))
        return false;
    for (size_t i = 2; i < size; i++)
        if (!is_continuation(at + i, 0x80, 0xBF))
            return false;
    r->at += size;
    return true;
}

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'f');
}

/* Take what is behind a backslash. */
static bool escape(struct reader *r)
{
    if (r->at == r->end)
        return false;
    switch (*r->at++) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return true;
    case 'u':
        if (r->end - r->at < 4)
            return false;
        for (int i = 0; i < 4; i++)
            if (!is_hex(*r->at++))
                return false;
        return true;
    default:
        return false;
    }
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Go to the next byte that is not a plain character. */
static void skip_plain(struct reader *r)
{
#if defined(__SSE2__)
    while (r->end - r->at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)r->at);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        /* As signed numbers those from 0x80 on are negative. */
        __m128i others = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
        int found = _mm_movemask_epi8(_mm_or_si128(ends, others));
        if (found) {
            r->at += __builtin_ctz((unsigned)found);
            return;
        }
        r->at += 16;
    }
#elif defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (r->end - r->at >= 8) {
        uint64_t word, quote, backslash, found;
        memcpy(&word, r->at, 8);
        quote = word ^ EACH('"');
        backslash = word ^ EACH('\\');
        /* The lowest bit that is set is right: a borrow goes to higher ones only. */
        found = ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash) |
                ((word - EACH(0x20)) & ~word) | word;
        found &= EACH(0x80);
        if (found) {
            r->at += __builtin_ctzll(found) / 8;
            return;
        }
        r->at += 8;
    }
#endif
    while (r->at < r->end && *r->at >= 0x20 && *r->at < 0x80 && *r->at != '"' && *r->at != '\\')
        r->at++;
}

enum { WIDE = 1, ESCAPED = 2 };

/* Take a string; `found` tells what is in it besides plain characters. */
static bool string(struct reader *r, struct span *span, unsigned *found)
{
    *found = 0;
    if (!take(r, '"'))
        return false;
    span->start = (uint32_t)(r->at - r->data);
    for (;;) {
        skip_plain(r);
        if (r->at == r->end)
            return false;
        if (*r->at == '"') {
            span->size = (uint32_t)(r->at - r->data) - span->start;
            r->at++;
            return true;
        }
        if (take(r, '\\')) {
            *found |= ESCAPED;
            if (!escape(r))
                return false;
        } else {
            *found |= WIDE;
            if (*r->at < 0x80 || !wide_character(r))
                return false;
        }
    }
}

static bool digits(struct reader *r)
{
    const uint8_t *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > start;
}

static bool number(struct reader *r)
{
    const uint8_t *start = r->at;
    take(r, '-');
    if (!take(r, '0') && !digits(r))
        return false;
    if (take(r, '.') && !digits(r))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            take(r, '-');
        if (!digits(r))
            return false;
    }
    return r->at - start <= LONGEST_NUMBER;
}

static bool word(struct reader *r, const char *expected)
{
    size_t size = strlen(expected);
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, expected, size) != 0)
        return false;
    r->at += size;
    return true;
}

static bool members(struct reader *r, struct event *event, member_reader read, int depth);

static bool elements(struct reader *r, int depth);

/* Take any value. */
static bool value(struct reader *r, int depth)
{
    struct span span;
    unsigned found;

    if (r->at == r->end)
        return false;
    switch (*r->at) {
    case '"':
        return string(r, &span, &found);
    case '{':
        return members(r, NULL, NULL, depth + 1);
    case '[':
        return elements(r, depth + 1);
    case 't':
        return word(r, "true");
    case 'f':
        return word(r, "false");
    case 'n':
        return word(r, "null");
    default:
        return number(r);
    }
}

static bool elements(struct reader *r, int depth)
{
    if (depth > DEEPEST || !take(r, '['))
        return false;
    skip_space(r);
    if (take(r, ']'))
        return true;
    for (;;) {
        skip_space(r);
        if (!value(r, depth))
            return false;
        skip_space(r);
        if (take(r, ']'))
            return true;
        if (!take(r, ','))
            return false;
    }
}

/* Take an object. With `read` its names must be as they are spelt, and `read` takes the values. */
static bool members(struct reader *r, struct event *event, member_reader read, int depth)
{
    if (depth > DEEPEST || !take(r, '{'))
        return false;
    skip_space(r);
    if (take(r, '}'))
        return true;
    for (;;) {
        struct span key;
        unsigned found;

        skip_space(r);
        if (!string(r, &key, &found))
            return false;
        skip_space(r);
        if (!take(r, ':'))
            return false;
        skip_space(r);
        if (read ? (found & ESCAPED) || !read(r, event, key, depth) : !value(r, depth))
            return false;
        skip_space(r);
        if (take(r, '}'))
            return true;
        if (!take(r, ','))
            return false;
    }
}

static bool is_called(const struct reader *r, struct span key, const char *name)
{
    return key.size == strlen(name) && memcmp(r->data + key.start, name, key.size) == 0;
}

static bool is_first(unsigned *seen, unsigned field)
{
    bool first = !(*seen & field);
    *seen |= field;
    return first;
}

/* Take a value that is a label if it is a string. */
static bool label(struct reader *r, struct span *span, int depth)
{
    unsigned found;

    if (!is_next(r, '"'))
        return value(r, depth);
    return string(r, span, &found) && !found && span->size <= LONGEST_LABEL;
}

static bool package_member(struct reader *r, struct event *event, struct span key, int depth)
{
    struct package *package = event->current;

    package->empty = false;
    if (is_called(r, key, "package_name"))
        return is_first(&package->seen, NAME) && is_next(r, '"') &&
               label(r, &package->name, depth);
    if (is_called(r, key, "package_version"))
        return is_first(&package->seen, PACKAGE_VERSION) && is_next(r, '"') &&
               label(r, &package->version, depth);
    return value(r, depth);
}

static bool package(struct reader *r, struct event *event, struct package *current, int depth)
{
    if (is_next(r, 'n'))
        return word(r, "null");
    event->current = current;
    return members(r, event, package_member, depth + 1);
}

static bool context_member(struct reader *r, struct event *event, struct span key, int depth)
{
    if (is_called(r, key, "date"))
        return is_first(&event->seen, DATE) && label(r, &event->line->date, depth);
    if (is_called(r, key, "flower"))
        return is_first(&event->seen, FLOWER) && package(r, event, &event->flower, depth);
    if (is_called(r, key, "package"))
        return is_first(&event->seen, PACKAGE) && package(r, event, &event->package, depth);
    return value(r, depth);
}

static bool event_member(struct reader *r, struct event *event, struct span key, int depth)
{
    if (is_called(r, key, "event_type"))
        return is_first(&event->seen, TYPE) && label(r, &event->line->type, depth);
    if (is_called(r, key, "context")) {
        if (!is_first(&event->seen, CONTEXT))
            return false;
        if (is_next(r, '{'))
            return members(r, event, context_member, depth + 1);
    }
    return value(r, depth);
}

/* Take one line with its newline. */
static bool event_line(struct reader *r, struct line *line)
{
    struct event event = {.line = line, .flower = {.empty = true}, .package = {.empty = true}};
    struct package *package;

    memset(line, 0, sizeof *line);
    skip_space(r);
    if (!members(r, &event, event_member, 1))
        return false;
    skip_space(r);
    package = event.flower.empty ? &event.package : &event.flower;
    if (package->seen == (NAME | PACKAGE_VERSION)) {
        line->name = package->name;
        line->version = package->version;
    }
    if (!take(r, '\n'))
        return false;
    line->end = (uint32_t)(r->at - r->data);
    return true;
}

static bool id(const struct hash *hash, void *context, const uint8_t *data, size_t size,
               uint8_t *to)
{
    return hash->begin(context, hash->algorithm, NULL) == 1 &&
           hash->update(context, data, size) == 1 && hash->end(context, to, NULL) == 1;
}

/* The version of this interface, and the size of a line in it. */
EXPORT uint32_t lines_version(void)
{
    return VERSION << 16 | sizeof(struct line);
}

/* Return how many lines there are. */
EXPORT size_t lines_count(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    size_t count = 0;

    while ((data = memchr(data, '\n', (size_t)(end - data)))) {
        data++;
        count++;
    }
    return count;
}

static bool is_same(const uint8_t *data, struct span a, struct span b)
{
    return a.size == b.size && memcmp(data + a.start, data + b.start, a.size) == 0;
}

/* Return the number of the first line that names the same package as this one, without a break. */
static uint32_t first_like(const uint8_t *data, const struct line *lines, size_t number)
{
    const struct line *line = lines + number;

    if (number && is_same(data, line->name, line[-1].name) &&
        is_same(data, line->version, line[-1].version))
        return line[-1].like;
    return (uint32_t)number;
}

/* Read `size` < 2^32 bytes, which end with a newline, into at most `room` lines, and their ids into
   32 bytes each. Returns how many there are; 0 if any takes a closer look. */
EXPORT size_t lines_scan(const uint8_t *data, size_t size, const struct hash *hash,
                         struct line *lines, uint8_t *ids, size_t room)
{
    struct reader r = {.data = data, .at = data, .end = data + size};
    void *context = hash->new_context();
    size_t count = 0;

    while (context && r.at < r.end) {
        const uint8_t *start = r.at;
        if (count == room || !event_line(&r, &lines[count]) ||
            !id(hash, context, start, (size_t)(r.at - start) - 1, ids + ID_BYTES * count)) {
            count = 0;
            break;
        }
        lines[count].like = first_like(data, lines, count);
        count++;
    }
    hash->free_context(context);
    return count;
}

static uint8_t *copy(uint8_t *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

#define COPY_TEXT(to, text) copy(to, text, sizeof(text) - 1)

#define BEFORE_ID "{\"id\": \""
#define BEFORE_TYPE "\", \"event_type\": \""
#define BEFORE_DATE "\", \"date\": \""
#define BEFORE_REST "\", "
#define BEHIND_REST "}\n"

/* Return how many bytes `lines_receipts` takes. */
EXPORT size_t lines_receipt_bytes(const struct line *lines, const uint32_t *numbers, size_t count,
                                  size_t rest_size)
{
    size_t each = sizeof(BEFORE_ID BEFORE_TYPE BEFORE_DATE BEFORE_REST BEHIND_REST) - 1 +
                  2 * ID_BYTES + rest_size;
    size_t size = count * each;

    for (size_t i = 0; i < count; i++)
        size += lines[numbers[i]].type.size + lines[numbers[i]].date.size;
    return size;
}

/* Write a receipt for each of the lines with these numbers: id, type and date, and what all have in
   common. */
EXPORT void lines_receipts(const uint8_t *data, const struct line *lines, const uint8_t *ids,
                           const uint32_t *numbers, size_t count, const uint8_t *rest,
                           size_t rest_size, uint8_t *to)
{
    uint8_t hex[256][2];

    for (size_t byte = 0; byte < 256; byte++) {
        hex[byte][0] = (uint8_t)"0123456789abcdef"[byte >> 4];
        hex[byte][1] = (uint8_t)"0123456789abcdef"[byte & 15];
    }
    for (size_t i = 0; i < count; i++) {
        const struct line *line = &lines[numbers[i]];
        const uint8_t *id_bytes = ids + (size_t)ID_BYTES * numbers[i];

        to = COPY_TEXT(to, BEFORE_ID);
        for (size_t j = 0; j < ID_BYTES; j++)
            to = copy(to, hex[id_bytes[j]], 2);
        to = COPY_TEXT(to, BEFORE_TYPE);
        to = copy(to, data + line->type.start, line->type.size);
        to = COPY_TEXT(to, BEFORE_DATE);
        to = copy(to, data + line->date.start, line->date.size);
        to = COPY_TEXT(to, BEFORE_REST);
        to = copy(to, rest, rest_size);
        to = COPY_TEXT(to, BEHIND_REST);
    }
}
