/*
 * Memory, strings, number parsing, bitmap search.
 *
 * Copies go by eight bytes: on every processor we run on that is as fast as the fastest form, and the
 * interpreting ones are spared seven of eight steps.
 */
#include <hv/lib.h>

/* The compiler must not turn the loops of memcpy and its kind into calls of themselves. */
#define NO_SELF_CALL __attribute__((optimize("no-tree-loop-distribute-patterns")))

typedef uint64_t __attribute__((may_alias, aligned(1))) word64;
typedef uint32_t __attribute__((may_alias, aligned(1))) word32;
typedef uint16_t __attribute__((may_alias, aligned(1))) word16;

/* Up to 16 bytes; everything is read before anything is written, so the ranges may overlap. */
static inline void copy_small(uint8_t *to, const uint8_t *from, size_t bytes)
{
    if (bytes >= 8) {
        uint64_t first = *(const word64 *)from, last = *(const word64 *)(from + bytes - 8);
        *(word64 *)to = first;
        *(word64 *)(to + bytes - 8) = last;
    } else if (bytes >= 4) {
        uint32_t first = *(const word32 *)from, last = *(const word32 *)(from + bytes - 4);
        *(word32 *)to = first;
        *(word32 *)(to + bytes - 4) = last;
    } else if (bytes >= 2) {
        uint16_t first = *(const word16 *)from, last = *(const word16 *)(from + bytes - 2);
        *(word16 *)to = first;
        *(word16 *)(to + bytes - 2) = last;
    } else if (bytes) {
        *to = *from;
    }
}

NO_SELF_CALL void *memcpy(void *to, const void *from, size_t bytes)
{
    if (bytes <= 16) {
        copy_small(to, from, bytes);
        return to;
    }
    void *d = to;
    const void *s = from;
    size_t words = bytes / 8;
    uint64_t tail = *(const word64 *)((const uint8_t *)from + bytes - 8);
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words)::"memory");
    *(word64 *)((uint8_t *)to + bytes - 8) = tail;
    return to;
}

NO_SELF_CALL void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    if (bytes <= 16) {
        copy_small(d, s, bytes);
    } else if ((uintptr_t)d - (uintptr_t)s >= bytes) { /* the target does not begin inside the source */
        memcpy(to, from, bytes);
    } else {
        uint64_t head = *(const word64 *)s;
        for (; bytes >= 8; bytes -= 8)
            *(word64 *)(d + bytes - 8) = *(const word64 *)(s + bytes - 8);
        *(word64 *)d = head;
    }
    return to;
}

NO_SELF_CALL void *memset(void *to, int byte, size_t bytes)
{
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ULL;
    uint8_t *d = to;
    if (bytes < 8) {
        for (size_t i = 0; i < bytes; i++)
            d[i] = (uint8_t)byte;
        return to;
    }
    void *p = to;
    size_t words = bytes / 8;
    __asm__ volatile("rep stosq" : "+D"(p), "+c"(words) : "a"(pattern) : "memory");
    *(word64 *)(d + bytes - 8) = pattern;
    return to;
}

NO_SELF_CALL int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *p = a, *q = b;
    for (; bytes >= 8 && *(const word64 *)p == *(const word64 *)q; bytes -= 8) {
        p += 8;
        q += 8;
    }
    for (; bytes; bytes--, p++, q++) {
        if (*p != *q)
            return *p - *q;
    }
    return 0;
}

NO_SELF_CALL size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

size_t strnlen(const char *s, size_t limit)
{
    size_t n = 0;
    while (n < limit && s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit; limit--, a++, b++) {
        if (*a != *b)
            return (uint8_t)*a - (uint8_t)*b;
        if (!*a)
            break;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strstr(const char *s, const char *part)
{
    size_t length = strlen(part);
    for (;; s++) {
        if (strncmp(s, part, length) == 0)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from);
    if (size) {
        size_t taken = min(length, size - 1);
        memcpy(to, from, taken);
        to[taken] = 0;
    }
    return length;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

uint64_t strtou64(const char *s, const char **end)
{
    int base = 10;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16) {
        base = 16;
        s += 2;
    }
    uint64_t value = 0;
    for (; digit_value(*s) < base; s++) {
        if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit_value(*s), &value)) {
            while (digit_value(*s) < base)
                s++;
            value = UINT64_MAX;
            break;
        }
    }
    if (end)
        *end = s;
    return value;
}

uint64_t parse_size(const char *s, const char **end)
{
    static const char suffixes[] = "KMGT";
    const char *rest;
    uint64_t value = strtou64(s, &rest);
    char upper = *rest >= 'a' && *rest <= 'z' ? *rest - 'a' + 'A' : *rest;
    const char *suffix = upper ? strchr(suffixes, upper) : NULL;
    if (suffix && rest != s) {
        unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
        value = value > UINT64_MAX >> shift ? UINT64_MAX : value << shift;
        rest++;
    }
    if (end)
        *end = rest;
    return value;
}

static unsigned long find_first(const unsigned long *map, unsigned long bits, unsigned long flip)
{
    for (unsigned long i = 0; i < bits; i += BITS_PER_LONG) {
        unsigned long word = map[i / BITS_PER_LONG] ^ flip;
        if (word)
            return min(i + (unsigned long)__builtin_ctzl(word), bits);
    }
    return bits;
}

unsigned long find_first_set(const unsigned long *map, unsigned long bits)
{
    return find_first(map, bits, 0);
}

unsigned long find_first_zero(const unsigned long *map, unsigned long bits)
{
    return find_first(map, bits, ~0UL);
}
