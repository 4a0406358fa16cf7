/*
 * What of libxl and xencall talks to a hypervisor, in memory; the rest of libxl, which makes and frees its structures,
 * is the real one. Contexts are counted: each that is opened has to be freed.
 */
#ifndef LIBXL_FAKE_H
#define LIBXL_FAKE_H

#include <glib.h>
#include <libxl.h>

enum libxl_fake_call {
    FAKE_NONE,
    FAKE_PAUSE,
    FAKE_UNPAUSE,
    FAKE_SHUTDOWN,
    FAKE_REBOOT,
    FAKE_DESTROY,
    FAKE_POWER_BUTTON,
    FAKE_RESUME
};

extern struct libxl_fake {
    int contexts; /* open now */
    gboolean no_hypervisor;
    const char *complaint; /* what libxl logs when something fails */

    int create_result;
    void (*created)(const libxl_domain_config *config); /* looks at what would be made */
    GString *restored;  /* all that the descriptor had to give when a domain was made from one; NULL: none was */
    const char *stream; /* what a domain writes when it is saved */
    int suspend_result;
    guint64 need_kib, free_kib;
    int cpus;
    guint64 affinity; /* hard, of all vcpus: a bit for each processor; 0: not set */
    unsigned affinity_vcpus;
    int affinity_result;

    enum libxl_fake_call call;                       /* the last one */
    void (*inserted)(const libxl_device_disk *disk); /* looks at the CD that is put in */
    uint32_t domid;
    int result;
    gboolean destroy_hangs; /* until the device model is killed */

    libxl_dominfo info;     /* of the domain named "work" */
    const char *store_path; /* the one thing in xenstore, and its value */
    const char *store_value;
    unsigned watches, watches_begun;
    guint64 foreground;
    GString *policy; /* the last one that was loaded goes there */
} libxl_fake;

void libxl_fake_reset(void);
void libxl_fake_event(libxl_event_type type, uint32_t domid, int reason);
void libxl_fake_go_on(void); /* ends a destroy that hangs */

#endif
