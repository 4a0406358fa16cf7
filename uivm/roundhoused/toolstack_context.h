/*
 * Contexts of libxl. Every operation has one of its own and they run side by side in threads, so each context waits for
 * its own children alone; libxl's default waits for any child and would take the hotplug script of another operation.
 */
#ifndef RH_TOOLSTACK_CONTEXT_H
#define RH_TOOLSTACK_CONTEXT_H

#include <libxl.h>

/* NULL: the hypervisor or xenstored does not answer; the logger has the reason. Freed with libxl_ctx_free(). */
libxl_ctx *toolstack_context_new(xentoollog_logger *log);

#endif
