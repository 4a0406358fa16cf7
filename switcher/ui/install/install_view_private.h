/* Between the frame of the installation and its pages. A page is made anew from the model each time it is shown, and
 * writes each change into the model at once. */
#ifndef RH_INSTALL_VIEW_PRIVATE_H
#define RH_INSTALL_VIEW_PRIVATE_H

#include "install_keys.h"
#include "install_link.h"
#include "install_model.h"
#include "install_view.h"
#include "page_parts.h"
#include "plain_text.h"

struct install_view {
    const struct install_view_calls *calls;
    gpointer user;
    gboolean open;
    struct install_model *model;
    struct install_keys *keys; /* of the layout that is chosen; NULL: the page for it has not been there */
    struct install_link *check, *disks, *plan, *run;
    guint timer; /* while it installs */
    guint soon;  /* until the page is made anew; 0: it is as the answers are */
    enum install_page filled;
    GtkWidget *column, *title, *why, *scroll, *holder, *box, *said, *leave, *back, *next;
    GtkWidget *stage, *left, *bar; /* of the progress page; NULL on others */
};

struct install_page_kind {
    const char *title, *why, *next;
    /* Makes its widgets in a vertical box; gives what has the keyboard first, or NULL. */
    GtkWidget *(*fill)(struct install_view *view, GtkBox *box);
};

extern const struct install_page_kind install_page_kinds[INSTALL_PAGE_COUNT];

/* An answer has changed. */
void install_view_changed(struct install_view *view);
/* The page is made anew when what called has ended, for a widget of the page may have. */
void install_view_refill_soon(struct install_view *view);
/* What becomes of the chosen disk is asked for. */
void install_view_plan(struct install_view *view);
/* What the progress page shows, anew. */
void install_show_progress(struct install_view *view);

#endif
