/* A disk as a picture: a bar with a piece for each partition, and what the pieces are in words below. */
#ifndef RH_INSTALL_PICTURE_H
#define RH_INSTALL_PICTURE_H

#include "install_model.h"

#include <gtk/gtk.h>

/* Before or after, of the model's plan. The words are the widget's description too. */
GtkWidget *install_picture(const struct install_model *model, gboolean after);

#endif
