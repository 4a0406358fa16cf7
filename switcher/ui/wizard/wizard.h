/*
 * The wizard that makes a guest, without its pages: what has been answered, what goes without saying, which page
 * follows which, what is wrong with an answer, and what roundhoused is asked for in the end. Nothing is made before
 * that, so going back loses nothing and giving up leaves nothing. Main thread only.
 */
#ifndef RH_WIZARD_H
#define RH_WIZARD_H

#include "medium.h"

enum wizard_source {
    WIZARD_DISC,    /* an installation disc, as a file */
    WIZARD_IMAGE,   /* a disk that is ready */
    WIZARD_CLONE,   /* what another guest has */
    WIZARD_NETWORK, /* Debian's installer of this machine, which fetches the rest */
    WIZARD_SOURCE_COUNT
};

/* Up to the summary in the order in which they are asked; those behind it are only reached from there. */
enum wizard_page {
    WIZARD_PAGE_SOURCE,
    WIZARD_PAGE_FILE,
    WIZARD_PAGE_GUEST,
    WIZARD_PAGE_NAME,
    WIZARD_PAGE_MEMORY,
    WIZARD_PAGE_DISK,
    WIZARD_PAGE_SUMMARY,
    WIZARD_PAGE_PROCESSORS,
    WIZARD_PAGE_FIRMWARE,
    WIZARD_PAGE_WINDOWS,
    WIZARD_PAGE_NETWORK,
    WIZARD_PAGE_COUNT
};

/* Answers that are numbers; the last three are 0 or 1. */
enum wizard_value {
    WIZARD_MEMORY_MIB,
    WIZARD_PROCESSORS,
    WIZARD_DISK_GIB,
    WIZARD_UEFI,
    WIZARD_WINDOWS, /* with what Windows runs better by: a clock in local time, and Hyper-V's calls */
    WIZARD_CONNECTED,
    WIZARD_VALUE_COUNT
};

#define WIZARD_MEMORY_MIN_MIB 64
#define WIZARD_PROCESSORS_MAX 32
#define WIZARD_DISK_MAX_GIB   16384
#define WIZARD_NAME_MAX       63

/* What a disc's system wants; 0 and NULL: not known. */
struct wizard_system {
    char *name; /* as people call it */
    char *word; /* the same as a name for a guest may begin */
    gboolean windows, uefi;
    guint least_memory_mib, memory_mib, processors, disk_gib;
};

struct wizard_guest {
    char *name;
    gboolean off;
    GVariant *settings; /* a{sv} of GetSettings; NULL: not told yet */
};

/* How the machine is; whoever has the wizard keeps it so. */
struct wizard_facts {
    guint64 memory_kib, free_memory_kib; /* 0: not known */
    guint64 pool_bytes, pool_free_bytes;
    guint slots;       /* a bit for each slot that is taken */
    GPtrArray *guests; /* struct wizard_guest, owned */
    char *installer_kernel, *installer_ramdisk;
};

struct wizard;

struct wizard *wizard_new(void);
void wizard_free(struct wizard *wizard);

/* Its own, to be changed in place. */
struct wizard_facts *wizard_facts(struct wizard *wizard);
void wizard_add_guest(struct wizard *wizard, const char *name, gboolean off, GVariant *settings);

/* ---- pages ---- */

enum wizard_page wizard_page(const struct wizard *wizard);

/* Whether the page has a question for what has been answered so far. */
gboolean wizard_asks(const struct wizard *wizard, enum wizard_page page);

/* To the page that follows; FALSE: this one is not right yet (wizard_check). Not on the summary. */
gboolean wizard_next(struct wizard *wizard);

/* To the page before; FALSE: there is none. */
gboolean wizard_back(struct wizard *wizard);

/* From the summary to a page; wizard_next() and wizard_back() come back from there. */
void wizard_change(struct wizard *wizard, enum wizard_page page);

enum wizard_level {
    WIZARD_FINE,
    WIZARD_HINT,  /* worth knowing; it works */
    WIZARD_WAIT,  /* not known yet */
    WIZARD_WRONG, /* nothing comes of it */
};

/* What is to be said of a page's answer, as a sentence that says what to do; NULL: nothing. The caller frees it. */
enum wizard_level wizard_check(const struct wizard *wizard, enum wizard_page page, char **sentence);

/* ---- answers ---- */

/* Whether this machine has what such a guest is made from. */
gboolean wizard_offers(const struct wizard *wizard, enum wizard_source source);

enum wizard_source wizard_source(const struct wizard *wizard);
void wizard_set_source(struct wizard *wizard, enum wizard_source source);

/*
 * The file of a disc or image. It is chosen first and looked at then; what was found is of no use for another one. The
 * system is taken over, the error is copied; removable: it is on something that may be pulled out.
 */
const char *wizard_file(const struct wizard *wizard);
void wizard_set_file(struct wizard *wizard, const char *path, gboolean removable);
void wizard_set_looked(struct wizard *wizard, const char *path, const struct medium *medium,
                       struct wizard_system *system, const GError *error);
const struct wizard_system *wizard_system(const struct wizard *wizard);
void wizard_system_free(struct wizard_system *system);

/* The guest whose disks are cloned; NULL: none was chosen. */
const char *wizard_origin(const struct wizard *wizard);
void wizard_set_origin(struct wizard *wizard, const char *name);

/* Whether a guest can be cloned: all that it writes to are images of the pool. */
gboolean wizard_can_clone(const struct wizard_guest *guest);

/* What was typed; until then a name that nobody has. */
const char *wizard_name(struct wizard *wizard);
void wizard_set_name(struct wizard *wizard, const char *name);

/* What was chosen; until then what goes well with the other answers. */
guint wizard_value(const struct wizard *wizard, enum wizard_value value);
void wizard_set_value(struct wizard *wizard, enum wizard_value value, guint number);

/* The settings that the origin of a clone has; NULL: not known. */
GVariant *wizard_origin_settings(const struct wizard *wizard);

#endif
