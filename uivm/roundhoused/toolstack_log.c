/* libxl's messages, to GLib's log. */
#include "toolstack_log.h"

#include <glib.h>
#include <string.h>

struct log {
    xentoollog_logger base; /* first: libxl knows the log by this address */
    char *first_error;      /* NULL: none yet */
};

/*
 * libxl's words may be a device model's: it repeats what QEMU answers. People read them, and the bus takes UTF-8 alone.
 */
static char *fit_for_people(const char *text)
{
    g_autofree char *start = g_strndup(text, 200);
    char *valid = g_utf8_make_valid(start, -1);
    for (char *c = valid; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    return valid;
}

G_GNUC_PRINTF(5, 0)
static void log_message(xentoollog_logger *logger, xentoollog_level level, int errno_value, const char *context,
                        const char *format, va_list arguments)
{
    struct log *log = (struct log *)logger;
    if (level < XTL_DETAIL)
        return;
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    const char *cause = errno_value >= 0 ? g_strerror(errno_value) : NULL;
    g_autofree char *fit = fit_for_people(text);
    if (level >= XTL_ERROR && !log->first_error)
        log->first_error = g_strdup_printf("%s%s%s", fit, cause ? ": " : "", cause ? cause : "");
    g_log(G_LOG_DOMAIN, level >= XTL_WARN ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_DEBUG, "%s: %s%s%s",
          context ? context : "libxl", fit, cause ? ": " : "", cause ? cause : "");
}

static void log_destroy(xentoollog_logger *logger)
{
    g_free(((struct log *)logger)->first_error);
    g_free(logger);
}

xentoollog_logger *toolstack_log_new(void)
{
    struct log *log = g_new0(struct log, 1);
    log->base.vmessage = log_message;
    log->base.destroy = log_destroy;
    return &log->base;
}

const char *toolstack_log_first_error(xentoollog_logger *logger)
{
    const char *error = ((struct log *)logger)->first_error;
    return error ? error : "";
}
