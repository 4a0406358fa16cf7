/*
 * Unpacking a kernel that was packed with xz: container, LZMA2, the x86 branch filter, CRC32 and CRC64.
 * Source: The .xz File Format 1.1.0 (container, check values), LZMA SDK "LZMA specification" (range coder, model).
 *
 * The output buffer is also the dictionary, so nothing is copied twice, and the branch filter runs over a finished
 * block in place. The index at the end of the file is read first: it says how many blocks of which sizes follow.
 * Boot only, one caller: the model and the CRC tables are static.
 */
#include <hv/unpack.h>
#include <hv/lib.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define HEADER_BYTES 12
#define FOOTER_BYTES 12
#define SIZE_TRAILER 4 /* Linux appends the unpacked size to its payload */

enum check { CHECK_NONE = 0, CHECK_CRC32 = 1, CHECK_CRC64 = 4 };

static const uint8_t xz_magic[6] = {0xfd, '7', 'z', 'X', 'Z', 0};

static uint32_t le32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static void put_le32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = value >> (8 * i);
}

/* ---- Check values. Both polynomials in their reflected form; a CRC32 is a CRC64 whose upper half stays 0. ---- */

#define CRC32_POLYNOMIAL 0xedb88320U
#define CRC64_POLYNOMIAL 0xc96c5795d7870f42UL

struct crc_table {
    uint64_t of[8][256]; /* of[n][b]: byte b followed by n zero bytes */
};
static struct crc_table crc32_table, crc64_table;

static void crc_prepare(struct crc_table *table, uint64_t polynomial)
{
    if (table->of[0][1])
        return;
    for (unsigned b = 0; b < 256; b++) {
        uint64_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        table->of[0][b] = crc;
    }
    for (unsigned n = 1; n < 8; n++)
        for (unsigned b = 0; b < 256; b++)
            table->of[n][b] = table->of[n - 1][b] >> 8 ^ table->of[0][table->of[n - 1][b] & 0xff];
}

static uint64_t crc_update(const struct crc_table *table, uint64_t crc, const uint8_t *p, size_t bytes)
{
    for (; bytes >= 8; p += 8, bytes -= 8) {
        uint64_t x;
        __builtin_memcpy(&x, p, 8);
        x ^= crc;
        crc = table->of[7][x & 0xff] ^ table->of[6][x >> 8 & 0xff] ^ table->of[5][x >> 16 & 0xff] ^
              table->of[4][x >> 24 & 0xff] ^ table->of[3][x >> 32 & 0xff] ^ table->of[2][x >> 40 & 0xff] ^
              table->of[1][x >> 48 & 0xff] ^ table->of[0][x >> 56];
    }
    while (bytes--)
        crc = crc >> 8 ^ table->of[0][(crc ^ *p++) & 0xff];
    return crc;
}

static uint32_t crc32(const uint8_t *p, size_t bytes)
{
    crc_prepare(&crc32_table, CRC32_POLYNOMIAL);
    return ~(uint32_t)crc_update(&crc32_table, 0xffffffffU, p, bytes);
}

static uint64_t crc64(const uint8_t *p, size_t bytes)
{
    crc_prepare(&crc64_table, CRC64_POLYNOMIAL);
    return ~crc_update(&crc64_table, ~0UL, p, bytes);
}

/* ---- Range coder and the LZMA model ---- */

#define PROBABILITY_BITS    11
#define PROBABILITY_HALF    (1U << (PROBABILITY_BITS - 1))
#define PROBABILITY_SHIFT   5
#define STATES              12
#define LITERAL_STATES      7 /* states below this one: the last symbol was a literal */
#define POSITION_STATES     16
#define MATCH_MIN           2
#define DISTANCE_STATES     4
#define ALIGN_BITS          4
#define FIRST_MODELLED_SLOT 4
#define FIRST_DIRECT_SLOT   14
#define MODELLED_DISTANCES  (1U << (FIRST_DIRECT_SLOT / 2))
#define LITERAL_CODER       0x300
#define LITERAL_CODERS      16 /* lc + lp <= 4 in LZMA2 */

typedef uint16_t probability;

struct length_model {
    probability choice, choice2;
    probability low[POSITION_STATES][8], middle[POSITION_STATES][8], high[256];
};

struct model {
    probability is_match[STATES][POSITION_STATES];
    probability is_rep[STATES], is_rep0[STATES], is_rep1[STATES], is_rep2[STATES];
    probability is_rep0_long[STATES][POSITION_STATES];
    probability slot[DISTANCE_STATES][64];
    probability distance[MODELLED_DISTANCES];
    probability align[1 << ALIGN_BITS];
    struct length_model match_length, rep_length;
    probability literal[LITERAL_CODERS][LITERAL_CODER];
};
_Static_assert(sizeof(struct model) % sizeof(probability) == 0, "the model is one array of probabilities");

struct history {
    unsigned state;
    uint32_t rep0, rep1, rep2, rep3; /* last distances, less one */
};

struct lzma {
    struct model model;
    struct history history;
    unsigned literal_context_bits, literal_position_mask, position_mask;
};
static struct lzma lzma;

struct range_coder {
    uint32_t range, code;
    const uint8_t *in;
    size_t at, end; /* at > end: it wanted more than there is */
};

/* Where decoded bytes go. `start` is the last dictionary reset, `limit` the end of the present chunk. */
struct window {
    uint8_t *out;
    uint64_t start, at, limit;
};

ALWAYS_INLINE void normalize(struct range_coder *rc)
{
    if (rc->range >> 24)
        return;
    rc->range <<= 8;
    rc->code = rc->code << 8 | (likely(rc->at < rc->end) ? rc->in[rc->at] : 0);
    rc->at++;
}

ALWAYS_INLINE unsigned decode_bit(struct range_coder *rc, probability *p)
{
    normalize(rc);
    uint32_t bound = (rc->range >> PROBABILITY_BITS) * *p;
    if (rc->code < bound) {
        rc->range = bound;
        *p += ((1U << PROBABILITY_BITS) - *p) >> PROBABILITY_SHIFT;
        return 0;
    }
    rc->range -= bound;
    rc->code -= bound;
    *p -= *p >> PROBABILITY_SHIFT;
    return 1;
}

ALWAYS_INLINE unsigned decode_tree(struct range_coder *rc, probability *tree, unsigned bits)
{
    unsigned node = 1;
    for (unsigned i = 0; i < bits; i++)
        node = node << 1 | decode_bit(rc, &tree[node]);
    return node - (1U << bits);
}

/* Least significant bit first; tree[1] is the root. */
ALWAYS_INLINE unsigned decode_reverse_tree(struct range_coder *rc, probability *tree, unsigned bits)
{
    unsigned node = 1, value = 0;
    for (unsigned i = 0; i < bits; i++) {
        unsigned bit = decode_bit(rc, &tree[node]);
        node = node << 1 | bit;
        value |= bit << i;
    }
    return value;
}

ALWAYS_INLINE uint32_t decode_direct(struct range_coder *rc, unsigned bits)
{
    uint32_t value = 0;
    while (bits--) {
        normalize(rc);
        rc->range >>= 1;
        uint32_t below = -(uint32_t)(rc->code < rc->range);
        rc->code -= rc->range & ~below;
        value = value << 1 | (below + 1);
    }
    return value;
}

ALWAYS_INLINE unsigned decode_length(struct range_coder *rc, struct length_model *m, unsigned position_state)
{
    if (!decode_bit(rc, &m->choice))
        return MATCH_MIN + decode_tree(rc, m->low[position_state], 3);
    if (!decode_bit(rc, &m->choice2))
        return MATCH_MIN + 8 + decode_tree(rc, m->middle[position_state], 3);
    return MATCH_MIN + 16 + decode_tree(rc, m->high, 8);
}

/* The distance less one. */
ALWAYS_INLINE uint32_t decode_distance(struct range_coder *rc, struct model *m, unsigned length)
{
    unsigned slot = decode_tree(rc, m->slot[min(length - MATCH_MIN, DISTANCE_STATES - 1U)], 6);
    if (slot < FIRST_MODELLED_SLOT)
        return slot;
    unsigned low_bits = (slot >> 1) - 1;
    uint32_t distance = (2 | (slot & 1)) << low_bits;
    if (slot < FIRST_DIRECT_SLOT)
        return distance + decode_reverse_tree(rc, &m->distance[distance - slot], low_bits);
    distance += decode_direct(rc, low_bits - ALIGN_BITS) << ALIGN_BITS;
    return distance + decode_reverse_tree(rc, m->align, ALIGN_BITS);
}

ALWAYS_INLINE uint8_t decode_literal(struct range_coder *rc, struct lzma *l, struct history *h, const struct window *w)
{
    uint64_t position = w->at - w->start;
    unsigned previous = position ? w->out[w->at - 1] : 0;
    unsigned coder =
        ((position & l->literal_position_mask) << l->literal_context_bits) | previous >> (8 - l->literal_context_bits);
    probability *tree = l->model.literal[coder];
    unsigned node = 1;
    if (h->state >= LITERAL_STATES) {
        unsigned match = w->out[w->at - h->rep0 - 1], offset = 0x100;
        do { /* the byte a match would have given chooses the tree, as long as it is right */
            match <<= 1;
            unsigned match_bit = match & offset, bit = decode_bit(rc, &tree[offset + match_bit + node]);
            node = node << 1 | bit;
            offset &= bit ? match_bit : ~match_bit;
        } while (node < 0x100);
    } else {
        do
            node = node << 1 | decode_bit(rc, &tree[node]);
        while (node < 0x100);
    }
    h->state = h->state < 4 ? 0 : h->state < 10 ? h->state - 3 : h->state - 6;
    return node;
}

/* Moves the distance to use to rep0. */
ALWAYS_INLINE void decode_which_rep(struct range_coder *rc, struct model *m, struct history *h)
{
    uint32_t distance = h->rep1;
    if (decode_bit(rc, &m->is_rep1[h->state])) {
        distance = h->rep2;
        if (decode_bit(rc, &m->is_rep2[h->state])) {
            distance = h->rep3;
            h->rep3 = h->rep2;
        }
        h->rep2 = h->rep1;
    }
    h->rep1 = h->rep0;
    h->rep0 = distance;
}

/* A match of the last four distances, or a new one: sets rep0 and returns the length; 1 = one byte at rep0. */
ALWAYS_INLINE unsigned decode_match(struct range_coder *rc, struct lzma *l, struct history *h, unsigned position_state)
{
    struct model *m = &l->model;
    bool after_literal = h->state < LITERAL_STATES;
    struct length_model *length_model = &m->rep_length;
    if (!decode_bit(rc, &m->is_rep[h->state])) {
        length_model = &m->match_length;
    } else if (decode_bit(rc, &m->is_rep0[h->state])) {
        decode_which_rep(rc, m, h);
    } else if (!decode_bit(rc, &m->is_rep0_long[h->state][position_state])) {
        h->state = after_literal ? 9 : 11;
        return 1;
    }
    unsigned length = decode_length(rc, length_model, position_state);
    if (length_model == &m->rep_length) {
        h->state = after_literal ? 8 : 11;
        return length;
    }
    h->state = after_literal ? 7 : 10;
    h->rep3 = h->rep2;
    h->rep2 = h->rep1;
    h->rep1 = h->rep0;
    h->rep0 = decode_distance(rc, m, length);
    return length;
}

ALWAYS_INLINE void copy_match(struct window *w, uint64_t distance, unsigned length)
{
    uint8_t *to = w->out + w->at;
    const uint8_t *from = to - distance;
    w->at += length;
    if (distance >= 8) {
        for (; length >= 8; length -= 8, to += 8, from += 8) {
            uint64_t word;
            __builtin_memcpy(&word, from, 8);
            __builtin_memcpy(to, &word, 8);
        }
    }
    while (length--)
        *to++ = *from++;
}

/* One LZMA chunk: exactly w->limit - w->at bytes from exactly `bytes` bytes. */
static const char *decode_chunk(struct lzma *l, struct window *chunk, const uint8_t *in, size_t bytes)
{
    if (bytes < 5 || in[0] != 0)
        return "the compressed kernel is damaged: bad start of a chunk";
    struct window w = *chunk; /* locals, so that the compiler keeps them in registers */
    struct history h = l->history;
    struct range_coder rc = {
        .range = ~0U,
        .code = (uint32_t)in[1] << 24 | in[2] << 16 | in[3] << 8 | in[4],
        .in = in,
        .at = 5,
        .end = bytes,
    };
    while (w.at < w.limit) {
        unsigned position_state = (w.at - w.start) & l->position_mask;
        if (!decode_bit(&rc, &l->model.is_match[h.state][position_state])) {
            w.out[w.at] = decode_literal(&rc, l, &h, &w);
            w.at++;
        } else {
            unsigned length = decode_match(&rc, l, &h, position_state);
            if (h.rep0 >= w.at - w.start)
                return "the compressed kernel is damaged: a match reaches before its start";
            if (length > w.limit - w.at)
                return "the compressed kernel is damaged: a match is too long";
            copy_match(&w, (uint64_t)h.rep0 + 1, length);
        }
        if (unlikely(rc.at > rc.end))
            return "the compressed kernel is damaged: a chunk is too short";
    }
    normalize(&rc);
    if (rc.at != rc.end || rc.code != 0)
        return "the compressed kernel is damaged: a chunk does not end where it should";
    chunk->at = w.at;
    l->history = h;
    return NULL;
}

static void lzma_reset_state(struct lzma *l)
{
    probability *p = (probability *)&l->model;
    for (size_t i = 0; i < sizeof(l->model) / sizeof(*p); i++)
        p[i] = PROBABILITY_HALF;
    l->history = (struct history){0};
}

static const char *lzma_set_properties(struct lzma *l, unsigned properties)
{
    unsigned lc = properties % 9, lp = properties / 9 % 5, pb = properties / 45;
    if (pb > 4 || lc + lp > 4)
        return "the compressed kernel is damaged: bad LZMA properties";
    l->literal_context_bits = lc;
    l->literal_position_mask = (1U << lp) - 1;
    l->position_mask = (1U << pb) - 1;
    return NULL;
}

/* ---- LZMA2: chunks, each with what it resets ---- */

#define LZMA2_END              0
#define LZMA2_STORED_RESET     1
#define LZMA2_STORED           2
#define LZMA2_LZMA             0x80
#define LZMA2_RESET_STATE      0xa0
#define LZMA2_NEW_PROPERTIES   0xc0
#define LZMA2_RESET_DICTIONARY 0xe0

struct cursor {
    const uint8_t *p;
    size_t left;
};

static bool take(struct cursor *c, size_t bytes, const uint8_t **p)
{
    if (bytes > c->left)
        return false;
    *p = c->p;
    c->p += bytes;
    c->left -= bytes;
    return true;
}

static const char truncated[] = "the compressed kernel is truncated";

static const char *lzma2_stored(struct cursor *in, struct window *w)
{
    const uint8_t *p;
    if (!take(in, 2, &p))
        return truncated;
    size_t bytes = (p[0] << 8 | p[1]) + 1U;
    if (!take(in, bytes, &p))
        return truncated;
    if (bytes > w->limit - w->at)
        return "the compressed kernel is damaged: more data than its index says";
    memcpy(w->out + w->at, p, bytes);
    w->at += bytes;
    return NULL;
}

static const char *lzma2_compressed(struct cursor *in, struct window *w, unsigned control)
{
    const uint8_t *p;
    if (!take(in, 4, &p))
        return truncated;
    size_t unpacked = ((control & 0x1f) << 16 | p[0] << 8 | p[1]) + 1U, packed = (p[2] << 8 | p[3]) + 1U;
    if (control >= LZMA2_NEW_PROPERTIES) {
        if (!take(in, 1, &p))
            return truncated;
        const char *error = lzma_set_properties(&lzma, *p);
        if (error)
            return error;
    }
    if (control >= LZMA2_RESET_STATE)
        lzma_reset_state(&lzma);
    if (!take(in, packed, &p))
        return truncated;
    if (unpacked > w->limit - w->at)
        return "the compressed kernel is damaged: more data than its index says";
    struct window chunk = *w;
    chunk.limit = w->at + unpacked;
    const char *error = decode_chunk(&lzma, &chunk, p, packed);
    w->at = chunk.at;
    return error;
}

/* Unpacks from w->at to w->limit, all of it. The reader is left behind the end mark. */
static const char *lzma2_decode(struct cursor *in, struct window *w)
{
    bool need_dictionary_reset = true, need_properties = true;
    for (;;) {
        const uint8_t *control;
        if (!take(in, 1, &control))
            return truncated;
        if (*control == LZMA2_END)
            return w->at == w->limit ? NULL : "the compressed kernel is damaged: less data than its index says";
        if (*control >= LZMA2_RESET_DICTIONARY || *control == LZMA2_STORED_RESET) {
            w->start = w->at;
            need_dictionary_reset = false;
            need_properties = true;
        }
        if (*control >= LZMA2_NEW_PROPERTIES)
            need_properties = false;
        bool stored = *control <= LZMA2_STORED;
        if (need_dictionary_reset || (!stored && (*control < LZMA2_LZMA || need_properties)))
            return "the compressed kernel is damaged: bad chunk type";
        const char *error = stored ? lzma2_stored(in, w) : lzma2_compressed(in, w, *control);
        if (error)
            return error;
    }
}

/* ---- The x86 branch filter ---- */

static bool is_sign_byte(uint32_t byte)
{
    return byte == 0 || byte == 0xff;
}

/*
 * Turns absolute targets of CALL and JMP rel32 back into relative ones. Opcode bytes inside another instruction look
 * the same, so packer and unpacker keep the same rule: an operand is converted when its top byte is 0 or ff, unless an
 * opcode byte in the three bytes before, left alone itself, makes that ambiguous. history bit n: such a byte at i-1-n.
 */
static void x86_filter_undo(uint8_t *data, size_t bytes, uint32_t start_offset)
{
    unsigned history = 0;
    for (size_t i = 0; i + 5 <= bytes; i++) {
        unsigned before = history;
        history = (history << 1) & 7;
        if ((data[i] & 0xfe) != 0xe8)
            continue;
        unsigned back = before ? 32 - __builtin_clz(before) : 0; /* distance to the earliest of them */
        bool several = before & (before - 1);
        if (!is_sign_byte(data[i + 4]) || several || (back && is_sign_byte(data[i + 4 - back]))) {
            history |= 1;
            continue;
        }
        uint32_t target = le32(data + i + 1), here = start_offset + (uint32_t)i + 5, operand = target - here;
        while (back && is_sign_byte(operand >> (24 - 8 * back) & 0xff))
            operand = (operand ^ ((1U << (32 - 8 * back)) - 1)) - here;
        operand &= 0x01ffffff;
        put_le32(data + i + 1, operand & 0x01000000 ? operand | 0xff000000 : operand);
        i += 4;
        history = 0;
    }
}

/* ---- Container ---- */

/* 7 bits per byte, low first, at most 9 bytes, no padding. */
static bool take_number(struct cursor *c, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        const uint8_t *p;
        if (!take(c, 1, &p))
            return false;
        *value |= (uint64_t)(*p & 0x7f) << shift;
        if (!(*p & 0x80))
            return *p != 0 || shift == 0;
    }
    return false;
}

struct stream {
    enum check check;
    struct cursor blocks;  /* from the header to the index */
    struct cursor records; /* of the index */
    uint64_t record_count;
};

static size_t check_bytes(enum check check)
{
    return check == CHECK_NONE ? 0 : check == CHECK_CRC32 ? 4 : 8;
}

static const char *parse_index(struct stream *s, const uint8_t *index, size_t bytes)
{
    if (crc32(index, bytes - 4) != le32(index + bytes - 4))
        return "the compressed kernel is damaged: checksum of its index";
    s->records = (struct cursor){index + 1, bytes - 5};
    if (index[0] != 0 || !take_number(&s->records, &s->record_count))
        return "the compressed kernel is damaged: bad index";
    return NULL;
}

/* Checks header, footer and the index's checksum, and finds the parts. */
static const char *parse_stream(const uint8_t *in, size_t bytes, struct stream *s)
{
    if (!is_xz(in, bytes))
        return "not an xz file";
    if (bytes < HEADER_BYTES + FOOTER_BYTES)
        return truncated;
    if (memcmp(in + bytes - 2, "YZ", 2) != 0 && bytes >= HEADER_BYTES + FOOTER_BYTES + SIZE_TRAILER)
        bytes -= SIZE_TRAILER;
    const uint8_t *footer = in + bytes - FOOTER_BYTES;
    if (memcmp(footer + 10, "YZ", 2) != 0)
        return truncated;
    if (crc32(in + 6, 2) != le32(in + 8) || crc32(footer + 4, 6) != le32(footer) || memcmp(in + 6, footer + 8, 2) != 0)
        return "the compressed kernel is damaged: checksum of its header";
    if (in[6] != 0 || (in[7] != CHECK_NONE && in[7] != CHECK_CRC32 && in[7] != CHECK_CRC64))
        return "the kernel is packed with a kind of xz check that is not supported: use --check=crc32";
    s->check = in[7];
    uint64_t index_bytes = ((uint64_t)le32(footer + 4) + 1) * 4;
    if (index_bytes < 8 || index_bytes > bytes - HEADER_BYTES - FOOTER_BYTES)
        return "the compressed kernel is damaged: bad size of its index";
    s->blocks = (struct cursor){in + HEADER_BYTES, bytes - HEADER_BYTES - FOOTER_BYTES - index_bytes};
    return parse_index(s, footer - index_bytes, index_bytes);
}

static const char *next_record(struct stream *s, uint64_t *block_bytes, uint64_t *unpacked)
{
    if (!take_number(&s->records, block_bytes) || !take_number(&s->records, unpacked))
        return "the compressed kernel is damaged: bad index";
    return NULL;
}

#define FILTER_X86   0x04
#define FILTER_LZMA2 0x21

struct block_header {
    bool x86;
    uint32_t x86_offset;
};

static const char *parse_filters(struct cursor *c, unsigned count, struct block_header *out)
{
    static const char unsupported[] = "the kernel is packed with a filter that is not supported: use --x86 --lzma2";
    for (unsigned i = 0; i < count; i++) {
        uint64_t id, size;
        const uint8_t *properties;
        if (!take_number(c, &id) || !take_number(c, &size) || size > c->left || !take(c, size, &properties))
            return "the compressed kernel is damaged: bad block header";
        bool last = i == count - 1;
        if (last && id == FILTER_LZMA2 && size == 1)
            continue;
        if (last || out->x86 || id != FILTER_X86 || (size != 0 && size != 4))
            return unsupported;
        out->x86 = true;
        out->x86_offset = size ? le32(properties) : 0;
    }
    return NULL;
}

/* Takes the header off `block`. The sizes in it are optional and repeat the index: they are skipped. */
static const char *parse_block_header(struct cursor *block, struct block_header *out)
{
    static const char bad[] = "the compressed kernel is damaged: bad block header";
    const uint8_t *header;
    if (block->left < 1 || block->p[0] == 0)
        return bad;
    size_t bytes = (block->p[0] + 1U) * 4;
    if (!take(block, bytes, &header))
        return truncated;
    if (crc32(header, bytes - 4) != le32(header + bytes - 4))
        return bad;
    struct cursor c = {header + 2, bytes - 6};
    unsigned flags = header[1];
    uint64_t ignored;
    if (flags & 0x3c || (flags & 0x40 && !take_number(&c, &ignored)) || (flags & 0x80 && !take_number(&c, &ignored)))
        return bad;
    const char *error = parse_filters(&c, (flags & 3) + 1, out);
    while (!error && c.left--)
        if (*c.p++ != 0)
            error = bad;
    return error;
}

static bool check_ok(enum check check, const uint8_t *data, size_t bytes, const uint8_t *stored)
{
    switch (check) {
    case CHECK_CRC32:
        return crc32(data, bytes) == le32(stored);
    case CHECK_CRC64:
        return crc64(data, bytes) == le64(stored);
    default:
        return true;
    }
}

static const char *decode_block(struct stream *s, uint64_t block_bytes, uint8_t *out, uint64_t unpacked)
{
    const uint8_t *p;
    size_t tail = check_bytes(s->check);
    if (block_bytes < tail || block_bytes > s->blocks.left || !take(&s->blocks, ROUND_UP(block_bytes, 4), &p))
        return truncated;
    struct cursor block = {p, block_bytes - tail};
    struct block_header header = {0};
    const char *error = parse_block_header(&block, &header);
    if (error)
        return error;
    struct window w = {.out = out, .limit = unpacked};
    error = lzma2_decode(&block, &w);
    if (error)
        return error;
    if (block.left)
        return "the compressed kernel is damaged: a block is larger than its data";
    if (header.x86)
        x86_filter_undo(out, unpacked, header.x86_offset);
    const uint8_t *check = p + ROUND_UP(block_bytes - tail, 4); /* padded to 4 before the check */
    return check_ok(s->check, out, unpacked, check) ? NULL : "the unpacked kernel is damaged: wrong checksum";
}

bool is_xz(const uint8_t *in, size_t bytes)
{
    return bytes >= sizeof(xz_magic) && memcmp(in, xz_magic, sizeof(xz_magic)) == 0;
}

const char *unxz_size(const uint8_t *in, size_t in_bytes, uint64_t *out_bytes)
{
    struct stream s;
    uint64_t block_bytes, unpacked;
    *out_bytes = 0;
    const char *error = parse_stream(in, in_bytes, &s);
    uint64_t total = 0;
    for (uint64_t i = 0; !error && i < s.record_count; i++) {
        error = next_record(&s, &block_bytes, &unpacked);
        if (!error && __builtin_add_overflow(total, unpacked, &total))
            error = "the compressed kernel is damaged: bad index";
    }
    if (!error)
        *out_bytes = total;
    return error;
}

const char *unxz(const uint8_t *in, size_t in_bytes, uint8_t *out, uint64_t out_bytes)
{
    struct stream s;
    const char *error = parse_stream(in, in_bytes, &s);
    if (error)
        return error;
    uint64_t at = 0;
    for (uint64_t i = 0; i < s.record_count; i++) {
        uint64_t block_bytes, unpacked;
        error = next_record(&s, &block_bytes, &unpacked);
        if (!error && unpacked > out_bytes - at)
            error = "the unpacked kernel does not fit";
        if (!error)
            error = decode_block(&s, block_bytes, out + at, unpacked);
        if (error)
            return error;
        at += unpacked;
    }
    if (s.blocks.left)
        return "the compressed kernel is damaged: its index does not name all blocks";
    return at == out_bytes ? NULL : "the unpacked kernel is smaller than expected";
}
