/* Between the page of the machine and its sections. */
#ifndef RH_MACHINE_VIEW_PRIVATE_H
#define RH_MACHINE_VIEW_PRIVATE_H

#include "../page_parts.h"
#include "../plain_text.h"
#include "../sheet.h"
#include "machine_view.h"

enum machine_section { MACHINE_SOUND, MACHINE_KEYS, MACHINE_STORAGE, MACHINE_ABOUT, MACHINE_SECTION_COUNT };

struct machine_view {
    struct model *model;
    struct errands *errands;
    struct confirm *confirm;
    void (*closed)(gpointer user);
    gpointer user;
    struct sheet *sheet;
    gboolean open;
    char *told;              /* what the section that is shown was made of */
    GHashTable *volumes;     /* by the path of the object: percent plus one; the machine's only while it is changed */
    guint volumes_changing;  /* changes that roundhoused has not answered: what it tells meanwhile may be older */
    GVariant *images;        /* aa{sv}; NULL: not told yet */
    struct errand *deleting; /* an image; NULL: none */
    char *doomed;            /* what somebody is asked about */
};

/* Sections: the sheet's contract. */
GtkWidget *section_sound_fill(gpointer view, GtkBox *box, GtkBox *buttons);
GtkWidget *section_keys_fill(gpointer view, GtkBox *box, GtkBox *buttons);
GtkWidget *section_storage_fill(gpointer view, GtkBox *box, GtkBox *buttons);
GtkWidget *section_about_fill(gpointer view, GtkBox *box, GtkBox *buttons);

/* Fills the section anew if it is shown. */
void machine_view_refill_if(struct machine_view *view, enum machine_section section);

/* Asks roundhoused anew for what it does not tell by itself. */
void machine_view_ask(struct machine_view *view);

#endif
