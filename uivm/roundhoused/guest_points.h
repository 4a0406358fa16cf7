/*
 * What a guest's disks were: snapshots that somebody asks for, and undo points by rule (undo_points= and its like), at
 * each start and from time to time while it runs. They are of all images of the pool that it may write, at one time
 * (storage/point_set.h); a guest that runs with several stands still for that moment. Main thread only.
 */
#ifndef RH_GUEST_POINTS_H
#define RH_GUEST_POINTS_H

#include "guest.h"
#include "job.h"

struct guest_points;

/* The pool's folder, and the guests (struct guest) that guest_points_tick() looks at. All of it is borrowed. */
struct guest_points *guest_points_new(const char *pool_path, const GPtrArray *guests, struct jobs *jobs,
                                      struct authority *authority);
/* Who is asked before each undo point; FALSE with an error refuses it. */
void guest_points_set_check(struct guest_points *points,
                            gboolean (*may)(gpointer user, const struct guest_config *config, GError **error),
                            gpointer user);
void guest_points_free(struct guest_points *points);

/* The methods of org.roundhouse.Guest1 about points. */
void guest_points_serve(struct guest_points *points, struct guest *guest);

/* Makes an undo point if the guest's definition wants some. It is started in any case; its Error says what went wrong.
 */
void guest_points_before_start(struct guest_points *points, struct guest *guest, void (*go_on)(gpointer data),
                               gpointer data);

/* At each turn of a timer of seconds: makes those whose time has come. */
void guest_points_tick(struct guest_points *points);

#endif
