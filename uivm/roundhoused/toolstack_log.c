/* libxl's messages, to GLib's log. */
#include "toolstack_log.h"

#include <glib.h>
#include <string.h>

struct log {
    xentoollog_logger base; /* first: libxl knows the log by this address */
    char first_error[256];
};

G_GNUC_PRINTF(5, 0)
static void log_message(xentoollog_logger *logger, xentoollog_level level, int errno_value, const char *context,
                        const char *format, va_list arguments)
{
    struct log *log = (struct log *)logger;
    if (level < XTL_DETAIL)
        return;
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    const char *cause = errno_value >= 0 ? g_strerror(errno_value) : NULL;
    if (level >= XTL_ERROR && !*log->first_error)
        g_snprintf(log->first_error, sizeof(log->first_error), "%s%s%s", text, cause ? ": " : "", cause ? cause : "");
    g_log(G_LOG_DOMAIN, level >= XTL_WARN ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_DEBUG, "%s: %s%s%s",
          context ? context : "libxl", text, cause ? ": " : "", cause ? cause : "");
}

static void log_destroy(xentoollog_logger *logger)
{
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
    return ((struct log *)logger)->first_error;
}
