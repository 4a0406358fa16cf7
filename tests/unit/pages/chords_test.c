/* The seat's keys in words. */
#include "../check.h"
#include "../test_list.h"
#include "chords.h"

static const struct {
    const char *keys, *about;
} wanted[] = {
    {"Ctrl + Alt + 1 to 9", "Show the guest in that slot."},
    {"Ctrl + Alt + 0", "Show the switcher."},
    {"Ctrl + Alt + Left", "Show the previous guest."},
    {"Ctrl + Alt + Shift + Tab", "The same, backwards."},
};

static void test_words(void)
{
    guint found = 0;
    for (guint row = 0; row < chords_count(); row++) {
        g_autofree char *keys = chords_keys(row), *about = chords_about(row);
        for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++)
            found += g_str_equal(keys, wanted[i].keys) && g_str_equal(about, wanted[i].about);
    }
    CHECK_EQUAL(G_N_ELEMENTS(wanted), found);
}

int main(void)
{
    static const struct unit_test tests[] = {{"words", test_words}};
    return run_tests(tests, G_N_ELEMENTS(tests), NULL);
}
