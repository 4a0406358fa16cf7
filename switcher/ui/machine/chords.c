/* Chords in words. */
#include "chords.h"

#include "../../seat/core/hotkey.h"
#include "../../seat/core/hotkey_table.h"

#define ROW(held, from, to, function, about) {(held), #from, #to, about},
static const struct chord {
    unsigned held;
    const char *from, *to, *about; /* keys by the names that the kernel has, without KEY_ */
} chords[] = {HOTKEYS(ROW)};

static const struct {
    unsigned modifier;
    const char *words;
} modifiers[] = {
    {HOTKEY_CTRL, "Ctrl + "}, {HOTKEY_ALT, "Alt + "},     {HOTKEY_SHIFT, "Shift + "},
    {HOTKEY_META, "Meta + "}, {HOTKEY_ALTGR, "AltGr + "},
};

guint chords_count(void)
{
    return G_N_ELEMENTS(chords);
}

/* "Left" of LEFT, "1" of 1. */
static char *key_words(const char *name)
{
    char *words = g_ascii_strdown(name, -1);
    words[0] = g_ascii_toupper(words[0]);
    return words;
}

char *chords_keys(guint row)
{
    const struct chord *chord = &chords[row];
    GString *words = g_string_new(NULL);
    g_autofree char *from = key_words(chord->from), *to = key_words(chord->to);
    for (gsize i = 0; i < G_N_ELEMENTS(modifiers); i++) {
        if (chord->held & modifiers[i].modifier)
            g_string_append(words, modifiers[i].words);
    }
    g_string_append(words, from);
    if (!g_str_equal(from, to))
        g_string_append_printf(words, " to %s", to);
    return g_string_free(words, FALSE);
}

char *chords_about(guint row)
{
    char *about = g_strconcat(chords[row].about, ".", NULL);
    about[0] = g_ascii_toupper(about[0]);
    return about;
}
