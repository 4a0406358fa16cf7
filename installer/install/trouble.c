#include "trouble.h"

#include <errno.h>

static GQuark domain(void)
{
    return g_quark_from_static_string("roundhouse-install");
}

gboolean trouble(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, domain(), 0, text);
    return FALSE;
}

gboolean trouble_errno(GError **error, const char *format, ...)
{
    const char *cause = g_strerror(errno);
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, domain(), 0, "%s: %s", text, cause);
    return FALSE;
}
