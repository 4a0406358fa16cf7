/*
 * What a guest showed when its points were made: small pictures, asked of roundhoused for those points that have one,
 * the newest first, and kept while the page is open.
 */
#ifndef RH_POINT_PICTURES_H
#define RH_POINT_PICTURES_H

#include "../model.h"

#include <gtk/gtk.h>

struct point_pictures;

/* came: all that were asked for are there, or will not come. */
struct point_pictures *point_pictures_new(RhGuest1 *guest, void (*came)(gpointer user), gpointer user);
/* Answers that are under way are not waited for. */
void point_pictures_free(struct point_pictures *pictures);

/* points: struct point of points.h, the newest first; of the newest POINT_PICTURES_MAX. */
#define POINT_PICTURES_MAX 50
void point_pictures_ask(struct point_pictures *pictures, const GPtrArray *points);

/* A widget of one size for all points: the picture, or nothing in its place. */
GtkWidget *point_picture_widget(struct point_pictures *pictures, gint64 time);

#endif
