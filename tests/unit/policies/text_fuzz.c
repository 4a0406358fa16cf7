/*
 * Any text for a policy: it ends, leaks nothing, reads nothing outside, and says what is wrong in whole lines; what is
 * good compiles to a table that loads, or says why not. Texts are the shipped policies with words and characters
 * changed, moved, doubled and left out. Seeded and bounded; FUZZ_SEED and FUZZ_ROUNDS say otherwise.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model.h"
#include "../check.h"
#include "../random.h"

static GString *load(const char *folder, unsigned number)
{
    static const char *const names[] = {"default", "separated", "managed", "kiosk"};
    char *path = g_strdup_printf("%s/%s.policy", folder, names[number % G_N_ELEMENTS(names)]), *text = NULL;
    gsize length;
    CHECK(g_file_get_contents(path, &text, &length, NULL), "%s", path);
    GString *s = g_string_new_len(text, (gssize)length);
    g_free(text);
    g_free(path);
    return s;
}

/* Words that mean something somewhere. */
static const char *const words[] = {
    "any",     "guest",    "labelled", "untrusted", "to",     "and",      ",",    "only",    "when",    "while",
    "not",     "locked",   "between",  "08:00",     "25:99",  "remember", "for",  "8",       "hours",   "until",
    "forever", "label",    "device",   "is",        "usb",    "vendor",   "ffff", "port",    "include", "\"/dev/null\"",
    "\"",      "#",        "policy",   "ask",       "before", "allowing", "deny", "control", "\n",      "\n ",
    "\t",      "\xc3\xa4", "\xff",     "the",
};

static void change(GString *s)
{
    size_t at = s->len ? random_below((unsigned)s->len) : 0, length;
    switch (random_below(6)) {
    case 0:
        g_string_insert(s, (gssize)at, words[random_below(G_N_ELEMENTS(words))]);
        break;
    case 1:
        g_string_insert_c(s, (gssize)at, (char)random_value());
        break;
    case 2:
        length = MIN(random_below(12), s->len - at);
        g_string_erase(s, (gssize)at, (gssize)length);
        break;
    case 3: { /* a word for another */
        while (at < s->len && s->str[at] != ' ')
            at++;
        length = at < s->len ? strcspn(s->str + at + 1, " \n") + 1 : 0;
        g_string_erase(s, (gssize)at, (gssize)length);
        g_string_insert(s, (gssize)at, words[random_below(G_N_ELEMENTS(words))]);
        g_string_insert_c(s, (gssize)at, ' ');
        break;
    }
    case 4: { /* a piece again, somewhere else */
        length = MIN(random_below(200), s->len - at);
        char *piece = g_strndup(s->str + at, length);
        g_string_insert(s, (gssize)random_below((unsigned)s->len + 1), piece);
        g_free(piece);
        break;
    }
    case 5:
        if (s->len)
            s->str[at] = (char)(s->str[at] ^ 1 << random_below(8));
        break;
    }
}

/* True if it was good. */
static bool try(const GString *s)
{
    char path[64];
    int fd = memfd_create("policy", 0);
    CHECK(fd >= 0 && write(fd, s->str, s->len) == (ssize_t)s->len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct policy *policy = policy_read(path);
    close(fd);
    GByteArray *bytes = policy_compile(policy);
    CHECK(!bytes == !policy_is_good(policy));
    CHECK(policy->messages->len <= 2 * POLICY_MAX_ERRORS + 2, "%u", policy->messages->len);
    for (unsigned i = 0; i < policy->messages->len; i++)
        CHECK(*(const char *)policy->messages->pdata[i]);
    if (bytes) {
        struct policy_table table;
        CHECK_EQUAL(POLICY_LOADED, policy_table_load(&table, bytes->data, bytes->len));
        g_byte_array_unref(bytes);
    }
    policy_free(policy);
    return bytes;
}

int main(int argc, char **argv)
{
    const char *seed = getenv("FUZZ_SEED"), *count = getenv("FUZZ_ROUNDS");
    unsigned rounds = count ? (unsigned)atoi(count) : 800, good = 0;
    CHECK_EQUAL(2, argc);
    random_seed(seed ? strtoull(seed, NULL, 0) : 1);
    for (unsigned round = 0; round < rounds; round++) {
        GString *s = load(argv[1], round);
        for (unsigned n = random_below(round % 4 ? 2 : 20); n; n--)
            change(s);
        good += try(s);
        g_string_free(s, TRUE);
    }
    CHECK(good > rounds / 20 && good < rounds - rounds / 20, "%u of %u", good, rounds); /* or this tries nothing */
    printf("%u texts, %u of them good\n", rounds, good);
    return 0;
}
