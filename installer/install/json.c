#include "json.h"

void json_append(GString *json, const char *text)
{
    g_string_append_c(json, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_c(json, '\\');
        if ((guchar)*text < ' ')
            g_string_append_printf(json, "\\u%04x", (guchar)*text);
        else
            g_string_append_c(json, *text);
    }
    g_string_append_c(json, '"');
}
