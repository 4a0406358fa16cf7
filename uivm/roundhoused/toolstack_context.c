/* Contexts of libxl: how they wait for child processes. */
#include "toolstack_context.h"

#include <libxl_event.h>

libxl_ctx *toolstack_context_new(xentoollog_logger *log)
{
    static const libxl_childproc_hooks hooks = {.chldowner = libxl_sigchld_owner_libxl_always_selective_reap};
    libxl_ctx *ctx = NULL;
    if (libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, log))
        return NULL;
    libxl_childproc_setmode(ctx, &hooks, NULL);
    return ctx;
}
