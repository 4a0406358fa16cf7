/* Between the files of the wizard's model. */
#ifndef RH_WIZARD_PRIVATE_H
#define RH_WIZARD_PRIVATE_H

#include "wizard.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)

struct wizard {
    struct wizard_facts facts;
    enum wizard_page pages[WIZARD_PAGE_COUNT]; /* the way here; the last one is on screen */
    guint depth;
    enum wizard_source source;
    struct {
        char *path;
        gboolean removable, looked;
        struct medium medium;
        struct wizard_system *system; /* NULL: not known */
        char *problem;                /* NULL: none */
    } file;
    char *origin;
    char *name, *proposed_name; /* typed, NULL: not; and what wizard_name() said last */
    struct {
        gboolean chosen;
        guint number;
    } values[WIZARD_VALUE_COUNT];
};

const struct wizard_guest *wizard_find_guest(const struct wizard *wizard, const char *name);

#endif
