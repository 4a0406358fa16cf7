/* Points, disks and texts from elsewhere, in words. */
#include "../check.h"
#include "../test_list.h"
#include "plain_text.h"
#include "points.h"

#include <string.h>

static GVariant *told(const char *text)
{
    return g_variant_ref_sink(g_variant_new_parsed(text));
}

static void test_plain(void)
{
    static const struct {
        const char *text;
        gsize max;
        const char *plain;
    } rows[] = {
        {NULL, 10, ""},
        {"", 10, ""},
        {"work", 4, "work"},
        {"works", 4, "wor\342\200\246"},
        {"a\nb\tc\001d\177e", 20, "a b c d e"},
        {"\342\200\256evil\342\200\254 \342\201\246x\342\201\251\342\200\217", 20, "evil x"},
        {"\330\247\331\204\330\271\330\261\330\250\331\212\330\251", 20,
         "\330\247\331\204\330\271\330\261\330\250\331\212\330\251"},
        {"\303\244\303\266\303\274\303\237", 3, "\303\244\303\266\342\200\246"},
        {"a\377b", 10, "a\357\277\275b"},
        {"<b>&amp;</b>", 20, "<b>&amp;</b>"},
        {"\342\200\250\342\200\251x\356\200\200", 10, "  x"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *plain = plain_text(rows[i].text, rows[i].max);
        CHECK(g_str_equal(plain, rows[i].plain), "row %zu: \"%s\"", i, plain);
    }
    g_autofree char *many = g_strnfill(100000, 'x'), *cut = plain_text(many, PLAIN_SENTENCE_MAX);
    CHECK_EQUAL(PLAIN_SENTENCE_MAX, g_utf8_strlen(cut, -1));
}

static void test_read(void)
{
    g_autoptr(GVariant) points =
        told("[{'time': <int64 1000>, 'label': <'first'>, 'size': <uint64 5>}, {'label': <'no time'>}, "
             "{'time': <'text'>}, {'time': <int64 2000>, 'later': <1>}, "
             "{'time': <int64 3000>, 'label': <'a\\nb'>, 'size': <'much'>}]");
    g_autoptr(GPtrArray) list = points_read(points);
    const struct point *one = g_ptr_array_index(list, 0), *last = g_ptr_array_index(list, 2);
    CHECK_EQUAL(3, list->len);
    CHECK_EQUAL(3000, one->time);
    CHECK(g_str_equal(one->label, "a b") && one->size == 0);
    CHECK_EQUAL(1000, last->time);
    CHECK(g_str_equal(last->label, "first") && last->size == 5);
    CHECK(*((const struct point *)g_ptr_array_index(list, 1))->label == '\0');
}

static void test_time(void)
{
    static const struct {
        int year, month, day, hour, minute;
        const char *words;
    } rows[] = {
        {2026, 3, 1, 10, 40, "10:40 today"},
        {2026, 3, 1, 0, 0, "00:00 today"},
        {2026, 2, 28, 23, 59, "23:59 yesterday"},
        {2026, 2, 27, 23, 59, "23:59 on Fri 27 February"},
        {2026, 3, 2, 0, 0, "00:00 on Mon 2 March"},
        {2025, 3, 1, 10, 40, "10:40 on 1 March 2025"},
        {2025, 12, 31, 1, 2, "01:02 on 31 December 2025"},
    };
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("+05:30");
    g_autoptr(GDateTime) now = g_date_time_new(zone, 2026, 3, 1, 12, 0, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GDateTime) when =
            g_date_time_new(zone, rows[i].year, rows[i].month, rows[i].day, rows[i].hour, rows[i].minute, 0);
        g_autofree char *words = points_time_words(g_date_time_to_unix(when) * 1000 + 999, now);
        CHECK(g_str_equal(words, rows[i].words), "%s: %s", rows[i].words, words);
    }
    g_autofree char *never = points_time_words(G_MAXINT64, now);
    CHECK(g_str_equal(never, "at no time that is known"), "%s", never);
}

static const char *const images_text =
    "[{'name': <'work'>, 'size': <uint64 21474836480>, 'used': <uint64 1048576>, 'guest': <'work'>}, "
    "{'name': <'shared'>, 'size': <uint64 1073741824>, 'used': <uint64 0>, 'guest': <'work,play'>}, "
    "{'name': <'tools'>, 'size': <uint64 1073741824>, 'guest': <'work'>}]";

#define DISKS "image:work,xvda; image:shared; image:tools,ro; image:lost; /dev/sdb,ro; /srv/cd.iso,hdd,cdrom"

static void test_disks(void)
{
    static const char *const words[] = {
        "Image work, 20.0 GiB, takes 1.0 MiB",
        "Image shared, 1.0 GiB, takes 0 bytes",
        "Image tools, 1.0 GiB, takes 0 bytes, read only",
        "Image lost, which is not in the pool",
        "/dev/sdb, read only",
        "CD in a drive of its own, /srv/cd.iso",
    };
    g_autoptr(GVariant) images = told(images_text);
    g_autoptr(GPtrArray) disks = disks_read(DISKS, images);
    CHECK_EQUAL(G_N_ELEMENTS(words), disks->len);
    for (guint i = 0; i < disks->len; i++) {
        const struct disk_words *disk = g_ptr_array_index(disks, i);
        g_autofree char *what = g_strdelimit(g_strdup(disk->what), "\302\240", ' ');
        g_auto(GStrv) parts = g_strsplit(what, "  ", -1);
        g_autofree char *plain = g_strjoinv(" ", parts);
        CHECK(g_str_equal(plain, words[i]), "%s", plain);
    }
    const struct disk_words *first = g_ptr_array_index(disks, 0), *third = g_ptr_array_index(disks, 2);
    CHECK(g_str_equal(first->name, "xvda") && g_str_equal(first->image, "work") && first->writes && !third->writes);
    CHECK_EQUAL((guint64)20 << 30, first->size);
    g_autoptr(GPtrArray) none = disks_read("no path", images), unknown = disks_read("image:work", NULL);
    CHECK_EQUAL(0, none->len);
    CHECK(g_str_equal(((struct disk_words *)g_ptr_array_index(unknown, 0))->what, "Image work"));
}

static void test_size(void)
{
    static const struct {
        const char *text;
        guint64 size, bytes;
    } rows[] = {
        {"21", (guint64)20 << 30, (guint64)21 << 30},
        {" 21 ", (guint64)20 << 30, (guint64)21 << 30},
        {"20", (guint64)20 << 30, 0},
        {"20", ((guint64)20 << 30) - 1, (guint64)20 << 30},
        {"1", (guint64)20 << 30, 0},
        {"0", 0, 0},
        {"", 0, 0},
        {"-3", 0, 0},
        {"1.5", 0, 0},
        {"16385", 0, 0},
        {"16384", 0, (guint64)16384 << 30},
        {"99999999999999999999", 0, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *sentence = NULL;
        guint64 bytes = disk_size_typed(rows[i].text, rows[i].size, &sentence);
        CHECK_EQUAL(rows[i].bytes, bytes, "row %zu", i);
        CHECK(!bytes == (sentence != NULL), "row %zu", i);
    }
}

/* What others have is not lost, nor what it may not write. */
static void test_loss(void)
{
    g_autoptr(GVariant) images = told(images_text);
    g_autoptr(GPtrArray) disks = disks_read(DISKS, images), tools = disks_read("image:tools,ro", images);
    g_autofree char *words = disks_loss_words("work", disks, images),
                    *nothing = disks_loss_words("work", tools, images);
    CHECK(strstr(words, "its disk work (") && !strstr(words, "shared") && !strstr(words, "tools"), "%s", words);
    CHECK(g_str_has_suffix(nothing, "It has no disk that is deleted with it."), "%s", nothing);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"plain text", test_plain}, {"points", test_read},        {"times", test_time},
        {"disks", test_disks},      {"a larger disk", test_size}, {"what is lost", test_loss},
    };
    return run_tests(tests, G_N_ELEMENTS(tests), NULL);
}
