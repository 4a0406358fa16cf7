/*
 * lib/printf.c and lib/string.c. The C library is the oracle wherever it knows the same.
 */
#include "../../check.h"
#include "../../random.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int hv_vsnprintf(char *to, size_t size, const char *format, va_list args);
int hv_snprintf(char *to, size_t size, const char *format, ...);
void *hv_memcpy(void *to, const void *from, size_t bytes);
void *hv_memmove(void *to, const void *from, size_t bytes);
void *hv_memset(void *to, int byte, size_t bytes);
int hv_memcmp(const void *a, const void *b, size_t bytes);
int hv_strncmp(const char *a, const char *b, size_t limit);
char *hv_strchr(const char *s, int c);
char *hv_strstr(const char *s, const char *part);
size_t hv_strlcpy(char *to, const char *from, size_t size);
uint64_t strtou64(const char *s, const char **end);
uint64_t parse_size(const char *s, const char **end);
unsigned long find_first_set(const unsigned long *map, unsigned long bits);
unsigned long find_first_zero(const unsigned long *map, unsigned long bits);

const char *symbol_find(unsigned long address, unsigned long *offset);
const char *symbol_find(unsigned long address, unsigned long *offset)
{
    if (address < 0x1000 || address >= 0x2000)
        return NULL;
    *offset = address - 0x1000;
    return "domain_create";
}

static void check_both(const char *format, ...)
{
    static const size_t sizes[] = {0, 1, 2, 7, 300};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *ours = malloc(sizes[i]), theirs[300]; /* exactly sized: one byte too many is seen */
        va_list a, b;
        va_start(a, format);
        va_copy(b, a);
        int our_length = hv_vsnprintf(ours, sizes[i], format, a), length = vsnprintf(theirs, sizes[i], format, b);
        va_end(a);
        va_end(b);
        CHECK(our_length == length, "\"%s\": %d, not %d", format, our_length, length);
        CHECK(sizes[i] == 0 || strcmp(ours, theirs) == 0, "\"%s\": \"%s\", not \"%s\"", format, ours, theirs);
        free(ours);
    }
}

static const uint64_t numbers[] = {0,
                                   1,
                                   9,
                                   10,
                                   255,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   0x100000000,
                                   0x7fffffffffffffff,
                                   0x8000000000000000,
                                   0xffffffffffffffff,
                                   1234567890123};

/* Every combination of flags, a few widths and precisions, every conversion, every size. */
static void test_numbers(void)
{
    static const char *const widths[] = {"", "1", "5", "20"}, *const precisions[] = {"", ".0", ".3", ".12"};
    static const char *const sizes[] = {"", "l", "ll", "z", "h", "hh"}, letters[] = "diuxX";
    for (unsigned flags = 0; flags < 8; flags++) {
        for (unsigned n = 0; n < 4 * 4 * 6 * 5; n++) {
            char format[32], letter = letters[n / 96];
            bool alternate = flags & 4 && (letter == 'x' || letter == 'X');
            snprintf(format, sizeof(format), "<%%%s%s%s%s%s%s%c>", flags & 1 ? "-" : "", flags & 2 ? "0" : "",
                     alternate ? "#" : "", widths[n % 4], precisions[n / 4 % 4], sizes[n / 16 % 6], letter);
            for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                check_both(format, numbers[i]);
        }
    }
}

static void test_text(void)
{
    check_both("");
    check_both("plain");
    check_both("100%%|%c|%5c|%-5c|", 'x', 'y', 'z');
    check_both("%s|%10s|%-10s|%.2s|%10.2s|", "abc", "abc", "abc", "abc", "abc");
    check_both("%*d|%-*d|%.*s|%*s", 6, 42, 6, 42, 2, "abc", -6, "x");
    check_both("%.3s", "abc\0def");
    check_both("%+d|% d|%+d", 5, 5, -5);
    char unterminated[3] = {'a', 'b', 'c'}, out[32];
    hv_snprintf(out, sizeof(out), "%.3s", unterminated);
    CHECK(strcmp(out, "abc") == 0, "%s", out);
    hv_snprintf(out, sizeof(out), "%s", (char *)NULL);
    CHECK(strcmp(out, "(null)") == 0, "%s", out);
}

static void expect(const char *want, const char *format, ...)
{
    char out[128];
    va_list args;
    va_start(args, format);
    int length = hv_vsnprintf(out, sizeof(out), format, args);
    va_end(args);
    CHECK(strcmp(out, want) == 0 && length == (int)strlen(want), "\"%s\", not \"%s\"", out, want);
}

static void test_own_forms(void)
{
    expect("0x00000000deadbeef", "%p", (void *)0xdeadbeefUL);
    expect("domain_create+0x10", "%pS", (void *)0x1010UL);
    expect("0x0000000000003000", "%pS", (void *)0x3000UL);
    expect("domain_create+0xfff!", "%pS!", (void *)0x1fffUL);
    expect("%k and 7", "%k and %d", 7);
    expect("ends in %", "ends in %");
    expect("%5", "%5");
}

static void test_parsing(void)
{
    static const struct {
        const char *text;
        uint64_t number, size;
        const char *number_rest, *size_rest;
    } cases[] = {
        {"0", 0, 0, "", ""},
        {"1024M,max", 1024, 1024ULL << 20, "M,max", ",max"},
        {"0x1fG", 0x1f, 0x1fULL << 30, "G", ""},
        {"2k", 2, 2048, "k", ""},
        {"3t!", 3, 3ULL << 40, "t!", "!"},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, "", ""},
        {"18446744073709551616x", UINT64_MAX, UINT64_MAX, "x", "x"},
        {"99999999999999999999999K", UINT64_MAX, UINT64_MAX, "K", ""},
        {"17179869184G", 17179869184ULL, UINT64_MAX, "G", ""},
        {"0x", 0, 0, "x", "x"},
        {"", 0, 0, "", ""},
        {"M", 0, 0, "M", "M"},
        {"-1", 0, 0, "-1", "-1"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *rest;
        uint64_t number = strtou64(cases[i].text, &rest);
        CHECK(number == cases[i].number, "\"%s\": %llu", cases[i].text, (unsigned long long)number);
        CHECK(strcmp(rest, cases[i].number_rest) == 0, "\"%s\": rest \"%s\"", cases[i].text, rest);
        number = parse_size(cases[i].text, &rest);
        CHECK(number == cases[i].size, "\"%s\": %llu", cases[i].text, (unsigned long long)number);
        CHECK(strcmp(rest, cases[i].size_rest) == 0, "\"%s\": rest \"%s\"", cases[i].text, rest);
    }
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void test_memory(void)
{
    enum { SIZE = 200 };
    unsigned char ours[SIZE], theirs[SIZE];
    for (int round = 0; round < 200000; round++) {
        unsigned from = random_below(SIZE), to = random_below(SIZE);
        unsigned bytes = random_below(SIZE + 1 - (from > to ? from : to));
        if (round % 64 == 0) {
            for (unsigned i = 0; i < SIZE; i++)
                ours[i] = theirs[i] = (unsigned char)random64();
        }
        if (round % 3 == 0) {
            hv_memset(ours + to, (int)from, bytes);
            memset(theirs + to, (int)from, bytes);
        } else if (round % 3 == 1 || (from < to + bytes && to < from + bytes)) {
            hv_memmove(ours + to, ours + from, bytes);
            memmove(theirs + to, theirs + from, bytes);
        } else {
            hv_memcpy(ours + to, ours + from, bytes);
            memcpy(theirs + to, theirs + from, bytes);
        }
        CHECK(memcmp(ours, theirs, SIZE) == 0, "round %d: %u bytes from %u to %u", round, bytes, from, to);
        CHECK(sign(hv_memcmp(ours + from, ours + to, bytes)) == sign(memcmp(ours + from, ours + to, bytes)),
              "round %d: %u bytes at %u and %u", round, bytes, from, to);
    }
}

static void test_strings(void)
{
    char out[4];
    CHECK(hv_strlcpy(out, "abcdef", sizeof(out)) == 6 && strcmp(out, "abc") == 0, "%s", out);
    CHECK(hv_strlcpy(NULL, "abc", 0) == 3, "-");
    CHECK(hv_strncmp("abc", "abd", 2) == 0 && hv_strncmp("abc", "abd", 3) < 0 && hv_strncmp("ab", "a", 9) > 0, "-");
    CHECK(hv_strncmp("\xff", "a", 1) > 0, "characters compare as unsigned");
    const char *s = "dom0_mem=1G";
    CHECK(hv_strchr(s, '=') == s + 8 && hv_strchr(s, 0) == s + 11 && !hv_strchr(s, '#'), "-");
    CHECK(hv_strstr(s, "mem") == s + 5 && hv_strstr(s, "") == s && !hv_strstr(s, "1GB"), "-");
}

static void test_bitmaps(void)
{
    unsigned long map[3] = {0, 0, 0};
    CHECK(find_first_set(map, 130) == 130 && find_first_zero(map, 130) == 0, "-");
    map[2] = 2;
    CHECK(find_first_set(map, 130) == 129 && find_first_set(map, 129) == 129, "-");
    map[0] = ~0UL;
    map[1] = ~0UL >> 1;
    CHECK(find_first_set(map, 130) == 0 && find_first_zero(map, 130) == 127 && find_first_zero(map, 100) == 100, "-");
}

int main(void)
{
    test_numbers();
    test_text();
    test_own_forms();
    test_parsing();
    test_memory();
    test_strings();
    test_bitmaps();
    return 0;
}
