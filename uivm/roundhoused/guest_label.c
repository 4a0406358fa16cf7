/* label=work, label=service, label=service vpn. */
#include "guest_label.h"

#include <string.h>

static gboolean is_word(const char *text)
{
    gsize length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return g_ascii_isalnum(text[0]) && !text[length] && length <= GUEST_LABEL_MAX;
}

gboolean guest_label_read(const char *text, struct guest_label *label)
{
    struct guest_label found = {FALSE, ""};
    g_auto(GStrv) words = g_strsplit_set(text ? text : "", " \t", -1);
    gboolean kind_said = FALSE;
    for (char **word = words; *word; word++) {
        gboolean service = g_str_equal(*word, "service"), kind = service || g_str_equal(*word, "desktop");
        if (!**word)
            continue;
        if (!is_word(*word) || (kind ? kind_said : *found.word != '\0'))
            return FALSE;
        kind_said |= kind;
        found.service |= service;
        if (!kind)
            strcpy(found.word, *word);
    }
    *label = found;
    return TRUE;
}
