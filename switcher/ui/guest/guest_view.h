/*
 * The page of one guest: what it is and what can be done with it, its settings, its disks and discs, and the points to
 * which it can go back. It is made of what roundhoused says, and closes when the guest is gone.
 */
#ifndef RH_GUEST_VIEW_H
#define RH_GUEST_VIEW_H

#include "../confirm.h"
#include "../errand.h"
#include "../guest_card.h"
#include "../model.h"

struct guest_view;

struct guest_view_calls {
    void (*closed)(RhGuest1 *guest, gpointer user); /* nothing is shown any more; NULL: the guest is gone */
    void (*failed)(const char *sentence, gpointer user);
    guest_card_wish_fn wish;
};

/* For the life of the program; questions are asked by confirm. */
struct guest_view *guest_view_new(struct model *model, struct errands *errands, struct confirm *confirm,
                                  const struct guest_view_calls *calls, gpointer user);
GtkWidget *guest_view_widget(struct guest_view *view);

void guest_view_open(struct guest_view *view, RhGuest1 *guest);
gboolean guest_view_is_open(struct guest_view *view);

/* The model has changed. */
void guest_view_update(struct guest_view *view);

/* A key of the window; TRUE: it was for the page. */
gboolean guest_view_key(struct guest_view *view, guint key, GdkModifierType modifiers);

#endif
