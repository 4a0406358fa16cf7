/* One line of what can be seen. */
#include "plain_text.h"

#define ELLIPSIS "\342\200\246"

/* Unicode 15, UAX 9: marks, embeddings, overrides and isolates. */
static gboolean turns_direction(gunichar c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static gboolean is_unseen(gunichar c)
{
    GUnicodeType type = g_unichar_type(c);
    return type == G_UNICODE_CONTROL || type == G_UNICODE_LINE_SEPARATOR || type == G_UNICODE_PARAGRAPH_SEPARATOR ||
           type == G_UNICODE_UNASSIGNED || type == G_UNICODE_SURROGATE || type == G_UNICODE_PRIVATE_USE;
}

char *plain_text(const char *text, gsize max)
{
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    GString *plain = g_string_new(NULL);
    gsize count = 0;
    const char *at = valid;
    for (; *at && count < max; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (turns_direction(c))
            continue;
        g_string_append_unichar(plain, is_unseen(c) ? ' ' : c);
        count++;
    }
    if (*at && count) {
        g_string_truncate(plain, (gsize)(g_utf8_find_prev_char(plain->str, plain->str + plain->len) - plain->str));
        g_string_append(plain, ELLIPSIS);
    }
    return g_strchomp(g_string_free(plain, FALSE));
}
