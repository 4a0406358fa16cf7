/*
 * The two parts of a guest: guest_object.c, what it is to others, and guest.c, what happens to it.
 */
#ifndef RH_GUEST_PRIVATE_H
#define RH_GUEST_PRIVATE_H

#include "guest.h"
#include "roundhouse_dbus.h"

/* What becomes of the guest once its domain is gone. */
enum fate { FATE_OFF, FATE_CRASHED, FATE_RESTART };

struct guest {
    const struct guest_environment *environment;
    struct guest_config *config;
    char *label;                  /* of the domain */
    struct guest_config *defined; /* the file's, while config is what a resumed domain runs by; NULL: the same */
    RhGuest1 *skeleton;
    char *object_path;
    enum guest_state state;
    int domid;
    guint slot; /* of its screen; 0: it has none */
    enum fate fate;
    gboolean destroying;     /* a destroy operation is under way */
    gboolean operating;      /* another one is; there is never a second, so callers cannot queue work */
    struct job *waiting;     /* a start that waits until the crashed domain is gone; NULL: none */
    gint64 started_at;       /* monotonic microseconds */
    guint quick_restarts;    /* restarts in a row that came right after a start */
    guint shutdown_deadline; /* source id, 0: none */
    gboolean restart;        /* its end was asked for so that it starts again */
    gboolean saving;         /* we put it on the disk */
    gboolean held, held_off; /* guest_hold(); off: it must not be started */
};

/* guest_object.c */
void guest_unref(struct guest *guest);
void guest_set_error(struct guest *guest, const char *sentence); /* "": none */
void guest_set_state(struct guest *guest, enum guest_event event);
void guest_set_domid(struct guest *guest, int domid);
void guest_tell_signs(struct guest *guest);
/* Its screen in the seat, if it is to have one. FALSE with an RH_ERROR_DISPLAY. */
gboolean guest_offer_screen(struct guest *guest, GError **error);
void guest_take_screen(struct guest *guest);
void guest_publish_config(struct guest *guest);
gboolean guest_is_saved(const struct guest *guest);

/* guest.c: a domain of its name that is there when the guest is made. */
void guest_take_over(struct guest *guest);

#endif
