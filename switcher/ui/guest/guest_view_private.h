/* Between the page of a guest and its sections. */
#ifndef RH_GUEST_VIEW_PRIVATE_H
#define RH_GUEST_VIEW_PRIVATE_H

#include "../page_parts.h"
#include "../plain_text.h"
#include "../sheet.h"
#include "../wizard/files.h"
#include "guest_view.h"
#include "point_pictures.h"
#include "points.h"
#include "settings_form.h"

enum guest_section { SECTION_OVERVIEW, SECTION_SETTINGS, SECTION_DISKS, SECTION_POINTS, SECTION_MAY, SECTION_COUNT };

struct guest_view {
    struct model *model;
    struct errands *errands;
    struct confirm *confirm;
    struct guest_view_calls calls;
    gpointer user;
    struct sheet *sheet;

    RhGuest1 *guest;       /* NULL: the page is closed, or the service is away */
    char *path, *name;     /* of the guest whose page is open; NULL: none */
    char *state;           /* what the section that is shown was made for */
    struct errand *errand; /* what was asked for on this page, one at a time */
    gboolean moving;       /* the guest is getting another name, or is being deleted */

    struct settings_form *form;
    GtkWidget **problems, **fields, **abouts; /* of the settings that are shown, by row; NULL: another section is */
    GtkWidget *save, *discard;
    gboolean showing;            /* fields are being set from the form, and not by a person */
    GVariant *settings, *images; /* as they were told; NULL: not yet */
    GPtrArray *points;           /* struct point; NULL: not told yet */
    struct point_pictures *pictures;
    char **may;                  /* sentence, rule, and so on; empty: no policy; NULL: not told yet */
    gboolean choosing;           /* a disc */
    GPtrArray *discs;            /* struct wizard_file; NULL: they are looked for */
    GCancellable *cancellable;
    char *growing, *typed_size; /* the image that is to be made larger, NULL: none; what was typed for it, in GiB */
    char *typed_label;          /* for a new snapshot */
};

/* Sections: the sheet's contract. */
GtkWidget *section_overview_fill(gpointer view, GtkBox *box, GtkBox *buttons);
GtkWidget *section_settings_fill(gpointer view, GtkBox *box, GtkBox *buttons);
GtkWidget *section_disks_fill(gpointer view, GtkBox *box, GtkBox *buttons);
GtkWidget *section_points_fill(gpointer view, GtkBox *box, GtkBox *buttons);
GtkWidget *section_may_fill(gpointer view, GtkBox *box, GtkBox *buttons);

/* Whether its disks and its definition may be changed. */
gboolean guest_view_is_off(struct guest_view *view);

/* Asks for this; FALSE: something else that was asked for is not over yet, which is said. */
gboolean guest_view_begin(struct guest_view *view, gpointer proxy, const char *method, GVariant *parameters,
                          GUnixFDList *files, errand_done_fn done);

/* In done: the errand is over. Says why it failed, or this; FALSE: it failed. */
gboolean guest_view_ended(struct guest_view *view, const char *sentence, const char *success);

/* The settings have been told again. */
void section_settings_told(struct guest_view *view);

/* Asks the policy what the section tells; the guest and the service are there. Then section_may_told has the answers,
 * as view->may. */
void section_may_ask(struct guest_view *view);
/* Takes them. */
void section_may_told(struct guest_view *view, char **may);

/* Closes the page, whatever was typed. */
void guest_view_leave(gpointer view);

/* From now on the page is that of the guest with this path. */
void guest_view_follow(struct guest_view *view, const char *path);

#endif
